import { systemClock } from '../../src/domain/clock.js';
import type { Instance } from '../../src/domain/instance.js';
import type { Executor, HostVerifier } from '../../src/ssh/executor.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { loginKey } from './contract.js';

const observer = { connected: () => {}, verified: () => {}, lost: () => {} };

export function login(
  instance: Instance,
  privateKey = loginKey.privateKey,
  verify: HostVerifier = () => Promise.resolve(),
): Executor {
  return createExecutorFactory({
    privateKey,
    defaultPort: '22',
    connectTimeoutMs: 5_000,
    keepaliveIntervalMs: 0,
    clock: systemClock,
    maxHandshakes: 4,
    maxChannels: 4,
  })({ address: instance.address, remoteUser: instance.remoteUser }, verify, observer);
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
