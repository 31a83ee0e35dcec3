import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/domain/clock.js';
import type { Instance } from '../../src/domain/instance.js';
import type { Executor, ExecutorFactory, HostVerifier } from '../../src/ssh/executor.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { loginKey } from './contract.js';

const observer = { connected: () => {}, verified: () => {}, lost: () => {} };

export const executorsWith = (privateKey: string): ExecutorFactory =>
  createExecutorFactory({
    privateKey,
    defaultPort: '22',
    connectTimeoutMs: 5_000,
    keepaliveIntervalMs: 0,
    clock: systemClock,
    maxHandshakes: 4,
    maxChannels: 4,
  });

export function login(
  instance: Instance,
  privateKey = loginKey.privateKey,
  verify: HostVerifier = () => Promise.resolve(),
): Executor {
  return executorsWith(privateKey)(
    { address: instance.address, remoteUser: instance.remoteUser },
    verify,
    observer,
  );
}

/** The host key that answers at the instance's address. */
export async function presentedKey(instance: Instance): Promise<Uint8Array> {
  let seen: Uint8Array = new Uint8Array();
  const executor = login(instance, loginKey.privateKey, (key) => {
    seen = key;
    return Promise.resolve();
  });
  await executor.run('true', { timeoutMs: 5_000, signal: new AbortController().signal });
  await executor.close();
  return seen;
}

/** False also for one that ended and was not yet waited for. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
