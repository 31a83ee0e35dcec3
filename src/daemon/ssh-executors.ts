import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import { createExecutorFactory } from '../ssh/ssh-executor.js';

const longestConnectTimeoutMs = 20_000;
const sshKeepaliveMs = 10_000;
const concurrentHandshakes = 32;
/** In addition to the watch channel; sshd's usual limit is 10, and it frees a session late. */
const channelsPerConnection = 4;

/** Creates executors over SSH with the configured settings. */
export function sshExecutors({ dispatchPrivateKey, pool }: Config, clock: Clock): ExecutorFactory {
  return createExecutorFactory({
    privateKey: dispatchPrivateKey,
    defaultPort: pool.sshPort,
    connectTimeoutMs: Math.min(longestConnectTimeoutMs, pool.commandTimeoutMs),
    keepaliveIntervalMs: sshKeepaliveMs,
    clock,
    maxHandshakes: concurrentHandshakes,
    maxChannels: channelsPerConnection,
  });
}
