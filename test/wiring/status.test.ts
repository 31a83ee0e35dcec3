import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.js';
import { startStubDaemon } from '../support/stub-daemon.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';

let world: InProcess;
beforeAll(async () => {
  world = await startInProcess(`
managementToken: ${managementToken}
driver: loopback
instanceTypes: { small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
`);
});
afterAll(() => world?.stop());

describe('longshore status', () => {
  it('tells that the daemon is well, to people and to programs', async () => {
    const told = runCommand(world, ['status']);
    expect(await told.exitCode).toBe(0);
    expect(told.output.out).toMatch(/^health {6}OK\nversion .*\ninstances .*\ncontainers .*\n$/);
    const json = runCommand(world, ['status', '--json']);
    expect(await json.exitCode).toBe(0);
    expect(JSON.parse(json.output.out)).toMatchObject({ health: 'OK', atQuota: false });
  });

  it('says by its exit status that the daemon is not well, and why', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-no-runner-'));
    const ill = await startInProcess(`
managementToken: ${managementToken}
driver: loopback
instanceTypes: { small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
runner: { deploy: ${join(folder, 'gone')}, deployDirectory: ${join(folder, 'deployed')} }
`);
    try {
      const told = runCommand(ill, ['status']);
      expect(await told.exitCode).toBe(1);
      expect(told.output.out).toMatch(/^health {6}.*gone/);
      const json = runCommand(ill, ['status', '--json']);
      expect(await json.exitCode).toBe(1);
      expect((JSON.parse(json.output.out) as { health: string }).health).toContain('gone');
    } finally {
      await ill.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('shows what it knows of a daemon that stands by, or whose store does not answer', async () => {
    const health = 'the store is damaged since …';
    const stub = await startStubDaemon(() => ({
      body: { version: '0', containers: null, failed: null, health },
    }));
    try {
      const told = runCommand(stub, ['status']);
      expect(await told.exitCode).toBe(1);
      expect(told.output.out).toBe(
        `health      ${health}\nversion     0\ninstances   unknown\ncontainers  unknown\n`,
      );
    } finally {
      stub.close();
    }
  });

  it('says by its exit status that none answers, or that it may not ask', async () => {
    const nobody = { daemon: { ...world.daemon, url: 'http://127.0.0.1:9' } };
    expect(await runCommand(nobody, ['status']).exitCode).toBe(3);
    expect(await runCommand(world, ['status'], { token: 'wrong' }).exitCode).toBe(4);
  });
});
