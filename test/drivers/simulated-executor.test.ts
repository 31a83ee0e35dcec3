import { afterEach, describe, expect, it } from 'vitest';
import { createSimulatedExecutorFactory } from '../../src/simulation/simulated-executor.js';
import type { Executor, HostVerifier } from '../../src/ssh/executor.js';
import { never, secret } from './contract.js';
import {
  closers,
  list,
  options,
  start,
  uuid,
  vmWorld,
  within,
  type WorldOptions,
} from './simulated-world.js';

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('a simulated executor', () => {
  const accept: HostVerifier = () => Promise.resolve();

  async function executorWorld(verify = accept, given: WorldOptions = {}) {
    const all = await vmWorld(given);
    const heard: string[] = [];
    const factory = createSimulatedExecutorFactory({ host: all.host, clock: all.clock, latencyMs: 0 });
    const to = (address: string): Executor =>
      factory({ address, remoteUser: 'root' }, verify, {
        connected: () => heard.push('connected'),
        verified: () => heard.push('verified'),
        lost: () => heard.push('lost'),
      });
    return { ...all, heard, to };
  }

  it('verifies the host once, before any command (X-5)', async () => {
    const { to, instance, heard } = await executorWorld();
    const executor = to(instance.address);
    await Promise.all([executor.run('true', within), executor.run('true', within)]);
    expect(heard).toEqual(['connected', 'verified']);
  });

  it('sends nothing to a host that was refused (T-70)', async () => {
    const refuse: HostVerifier = () => Promise.reject(new Error('another host'));
    const { to, instance, run } = await executorWorld(refuse);
    const call = to(instance.address).run(start, { ...within, stdin: '{}' });
    await expect(call).rejects.toMatchObject({ code: 'host-key' });
    expect((await run(list)).stdout).toBe('');
  });

  it('lets the secret decide by a command of its own (X-6)', async () => {
    let told = '';
    const bySecret: HostVerifier = async (_key, run) => {
      told = (await run('cat /var/run/arvados-instance-secret')).stdout;
    };
    const { to, instance } = await executorWorld(bySecret);
    await to(instance.address).run('true', within);
    expect(told).toBe(secret);
  });

  it('says no-address, refused, exit, timeout, aborted and closed (X-3)', async () => {
    const { to, instance, clock } = await executorWorld(accept, { vm: { detachDelayMs: 5_000 } });
    await expect(to('').run('true', within)).rejects.toMatchObject({ code: 'no-address' });
    await expect(to('10.9.9.9:22').run('true', within)).rejects.toMatchObject({ code: 'refused' });
    const executor = to(instance.address);
    await expect(executor.run('crunch-run --collect x', within)).rejects.toMatchObject({
      code: 'exit',
      exitCode: 4,
    });
    const late = expect(
      executor.run(start, { stdin: '{}', timeoutMs: 10, signal: never }),
    ).rejects.toMatchObject({
      code: 'timeout',
    });
    await clock.advance(10);
    await late;
    await expect(executor.run('true', { timeoutMs: 10, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    await executor.close();
    await expect(executor.run('true', within)).rejects.toMatchObject({ code: 'closed' });
  });

  it('streams a watch until it is closed', async () => {
    const { to, instance, clock } = await executorWorld();
    const executor = to(instance.address);
    const { lines, close } = await executor.open('crunch-run --watch', options);
    await executor.run(start, { ...within, stdin: '{}' });
    await clock.advance(1_000);
    close();
    const heard: string[] = [];
    for await (const line of lines) heard.push(line);
    expect(heard).toEqual(['attached', `started ${uuid}`, `ended ${uuid}`]);
  });
});
