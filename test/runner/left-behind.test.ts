import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCollected, type CollectedResult } from '../../src/runner/collected-result.js';
import { RunnerHost } from '../support/runner-host.js';
import { findTool, requireTool } from '../support/tools.js';

const uuid = 'zzzzz-dz642-000000000000001';
const patient = { timeout: 20_000 };
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;
const shells: [string, string[]][] = [
  ['sh', ['sh']],
  ['busybox', ['busybox', 'sh']],
];

/** False for one that only waits for its parent. */
function runs(pid: string): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe.each(shells)('processes that a job leaves behind, under %s,', (name, shell) => {
  let host: RunnerHost;
  beforeEach(async (context) => {
    requireTool(context, name);
    requireTool(context, 'setsid');
    host = await RunnerHost.create(shell);
  });
  afterEach(() => host?.remove());

  const start = (script: string) => host.start(uuid, { command: ['sh', '-c', script] });
  const collect = async (): Promise<CollectedResult> => {
    await expect.poll(() => host.list(), patient).toContain(`${uuid} ended`);
    return parseCollected(uuid, (await host.run(['--collect', uuid])).stdout);
  };
  const printed = async (): Promise<string[]> => {
    const file = join(host.home(uuid), 'stdout');
    await expect.poll(() => (existsSync(file) ? readFileSync(file, 'utf8') : ''), patient).toMatch(/\n$/);
    return readFileSync(file, 'utf8').trim().split(/\s+/);
  };

  it('are ended with it although they left its session, and it says how many they were', async () => {
    await start('setsid sleep 404 >/dev/null 2>&1 & setsid sleep 405 >/dev/null 2>&1 & sleep 0.2; echo ok');
    const result = await collect();
    expect([result.exitCode, result.stdout]).toEqual([0, 'ok\n']);
    expect(result.note).toBe('2 processes that it left behind were ended');
  });

  it('are ended where there is no control group', async () => {
    host.env['LONGSHORE_CGROUP_ROOT'] = join(host.folder, 'none');
    await start('setsid sleep 404 >/dev/null 2>&1 & sleep 0.2; echo ok');
    expect((await collect()).note).toBe('a process that it left behind was ended');
  });

  it('are not counted when they are of its group, as those of any shell', async () => {
    await start('sleep 404 & sleep 404 & exit 3');
    expect(await collect()).toMatchObject({ exitCode: 3, note: '' });
  });

  it('are ended with one that is killed, also those that ignore TERM', async () => {
    await start(`setsid sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' & wait`);
    const [stray] = await printed();
    expect((await host.run(['--kill', '15', uuid])).code).toBe(0);
    expect((await collect()).note).toMatch(/^stopped on request; .* left behind w/);
    expect(runs(stray!)).toBe(false);
  });

  it('are ended although they cleared their environment, where there are control groups', async (context) => {
    await start('setsid env -i sleep 404 >/dev/null 2>&1 & echo $!; sleep 0.2');
    const [stray] = await printed();
    if (!existsSync(join(host.home(uuid), 'cgroup'))) {
      await collect();
      context.skip('no control group of version 2 can be made here');
    }
    const cgroup = readFileSync(join(host.home(uuid), 'cgroup'), 'utf8').trim();
    expect((await collect()).note).toBe('a process that it left behind was ended');
    expect(runs(stray!)).toBe(false);
    expect(existsSync(cgroup)).toBe(false);
  });

  it('are ended when the result is collected, if the supervisor did not live to do it', async () => {
    await start('setsid sleep 404 >/dev/null 2>&1 & echo $!; wait');
    const [stray] = await printed();
    process.kill(await host.pidOf(uuid), 'SIGKILL');
    // Ending what is left may take longer on a busy machine: until then it is called running, and is asked again.
    const collected = await host.until(0, '--collect', uuid);
    expect(parseCollected(uuid, collected).isLost).toBe(true);
    expect(runs(stray!)).toBe(false);
    expect(await host.list()).toEqual([`${uuid} ended`]);
  });

  it('are told from those of another container and of a container within it', async () => {
    const other = 'zzzzz-dz642-000000000000002';
    await host.start(other, { command: ['sh', '-c', 'setsid sleep 404 & wait'] });
    await start('setsid sleep 404 >/dev/null 2>&1 & sleep 0.2');
    expect((await collect()).note).toBe('a process that it left behind was ended');
    expect(await host.list()).toEqual([other, `${uuid} ended`]);
  });

  it('are ended by a runner program of an ordinary user', async (context) => {
    if (!isRoot) context.skip('needs root to become another user');
    await chmod(host.folder, 0o755);
    for (const each of await readdir(host.folder)) await chown(join(host.folder, each), nobody, nobody);
    await chown(host.folder, nobody, nobody);
    host.user = nobody;
    await start('setsid sleep 404 >/dev/null 2>&1 & id -u; echo $!; sleep 0.2');
    const [user, stray] = await printed();
    expect((await collect()).note).toBe('a process that it left behind was ended');
    expect([user, runs(stray!)]).toEqual([String(nobody), false]);
  });

  it('do no harm to a job where there is no /proc', async (context) => {
    if (!isRoot || !findTool('unshare')) context.skip('needs root and unshare to hide /proc');
    host.wrapper = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$0" "$@"'];
    await start('sleep 404 & echo ok; exit 4');
    expect(await collect()).toMatchObject({ exitCode: 4, stdout: 'ok\n' });
  });

  it('are few seconds of work at most, however fast new ones come', async () => {
    host.env['LONGSHORE_CGROUP_ROOT'] = join(host.folder, 'none');
    const chain = 'n=$1; while [ $n -gt 0 ]; do n=$((n-1)); setsid sleep 404 >/dev/null 2>&1 & done';
    await start(`sh -c '${chain}' sh 60; sleep 0.3; exit 5`);
    const result = await collect();
    expect([result.exitCode, result.note]).toEqual([5, '60 processes that it left behind were ended']);
    expect(result.durationMs).toBeLessThan(15_000);
  });
});
