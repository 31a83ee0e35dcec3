import { rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { EffectsWorld, makeRunnerFile } from '../support/effects-world.js';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function runnerFile(content: string) {
  const made = await makeRunnerFile(content);
  cleanUps.push(made.remove);
  return made;
}

describe('the runner program', () => {
  const { runner } = EffectsWorld.prototype;

  it('goes by the hash of its content into the folder (P-9)', async () => {
    const { file, md5 } = await runnerFile('a runner');
    const program = runner({ deploy: file, deployDirectory: '/opt/x' });
    expect(await program.load()).toMatchObject({ md5, path: `/opt/x/crunch-run~${md5}` });
    expect(await program.command()).toBe(`/opt/x/crunch-run~${md5}`);
    expect([program.isDeployed, program.isOurs]).toEqual([true, false]);
  });

  it('is one shell word wherever it lies (K-26)', async () => {
    const { file, md5 } = await runnerFile('a runner');
    const program = runner({ deploy: file, deployDirectory: `/opt/it's $x` });
    expect(await program.command()).toBe(`'/opt/it'\\''s $x/crunch-run~${md5}'`);
  });

  it('is the configured command, as it stands, when nothing is deployed (P-10)', async () => {
    const program = runner({ command: 'arvados-server crunch-run' });
    expect(await program.command()).toBe('arvados-server crunch-run');
    expect([program.isDeployed, program.isOurs, program.health()]).toEqual([false, false, undefined]);
  });

  it('is ours when it comes with Longshore', async () => {
    const program = runner({ deploy: 'built-in' });
    expect([program.isDeployed, program.isOurs]).toEqual([true, true]);
    expect(Buffer.from((await program.load()).content).toString()).toMatch(/^#!\/bin\/sh\n/);
  });

  it('is read once and kept (P-10)', async () => {
    const { file, md5 } = await runnerFile('a runner');
    const program = runner({ deploy: file });
    const both = await Promise.all([program.load(), program.load()]);
    expect(both[0]).toBe(both[1]);
    await writeFile(file, 'another');
    expect((await program.load()).md5).toBe(md5);
  });

  it('is read again at each occasion until that succeeds, a look at its health included (P-10, L-36)', async () => {
    const { file } = await runnerFile('a runner');
    await rm(file);
    const program = runner({ deploy: file });
    await expect(program.load()).rejects.toThrow(/ENOENT/);
    expect(program.health()).toMatch(/ENOENT/);
    await writeFile(file, 'a runner');
    await expect.poll(() => program.health()).toBeUndefined();
    await rm(file);
    expect(program.health()).toBeUndefined();
  });
});
