import { existsSync, readFileSync, statSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCollected, type CollectedResult } from '../../src/runner/collected-result.js';
import { RunnerHost } from '../support/runner-host.js';
import { findTool, requireTool } from '../support/tools.js';

const uuid = 'zzzzz-dz642-000000000000001';
const shells: [string, string[]][] = [
  ['sh', ['sh']],
  ['busybox', ['busybox', 'sh']],
];
const patient = { timeout: 20_000 };

/** False for one that only waits for its parent. */
function runs(pid: string): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe.each(shells)('under faults and odd input, the runner program in %s', (name, shell) => {
  let host: RunnerHost;
  /** busybox finds its own applets whatever the PATH: its tools cannot be replaced by others that fail. */
  const itWithTools = name === 'busybox' ? undefined : it;
  let skipped: (because: string) => void;
  beforeEach(async (context) => {
    skipped = (because) => context.skip(because);
    requireTool(context, name);
    host = await RunnerHost.create(shell);
  });
  afterEach(() => host?.remove());

  const ended = (): Promise<void> => expect.poll(() => host.list(), patient).toContain(`${uuid} ended`);
  const collect = async (): Promise<CollectedResult> => {
    await ended();
    return parseCollected(uuid, (await host.run(['--collect', uuid])).stdout);
  };
  const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] });
  const watch = (): string[] => {
    const lines: string[] = [];
    createInterface({ input: host.spawn('--watch').stdout! }).on('line', (line) => lines.push(line));
    return lines;
  };
  const running = (): Promise<void> =>
    expect.poll(() => existsSync(join(host.home(uuid), 'main'))).toBe(true);

  it('keeps output that comes in many small pieces', async () => {
    const count = 200;
    await host.start(
      uuid,
      sh(`i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo $i; [ $((i%10)) -ne 0 ] || sleep 0.01; done`),
    );
    const result = await collect();
    expect(result.stdout.trim().split('\n')).toHaveLength(count);
    expect(result.note).toBe('');
  });

  it('keeps output up to exactly its limit without a complaint', async () => {
    await host.start(uuid, sh('head -c 1024 /dev/zero | tr "\\0" x'), 1_024);
    expect(await collect()).toMatchObject({ stdout: 'x'.repeat(1_024), note: '' });
  });

  it('lets a command write 100 MB to each stream past the limit', async () => {
    await host.start(uuid, sh('head -c 100000000 /dev/zero; head -c 100000000 /dev/zero >&2; exit 3'), 700);
    const result = await collect();
    expect([result.exitCode, result.stdout.length, result.stderr.length]).toEqual([3, 700, 700]);
    expect(statSync(join(host.home(uuid), 'stdout')).size).toBe(700);
  });

  it('hands over variables that mean something to a shell, an engine or the runner itself', async () => {
    const env = {
      ...{ PATH: '/nowhere', IFS: 'x', UID: '7', OPTIND: 'abc', HOME: '/h', PPID: '1' },
      ...{ home: '/a', uuid: 'b', image: 'c', lock_dir: 'd', code: 'e', main: 'f', leader: 'g', tool: 'h' },
    };
    await host.start(uuid, { command: ['/usr/bin/env'], env });
    const lines = (await collect()).stdout.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining(Object.entries(env).map(([key, value]) => `${key}=${value}`)),
    );
  });

  it('makes the command leader of its own group, whatever its PATH', async () => {
    await host.start(uuid, { command: ['/bin/cat', '/proc/self/stat'], env: { PATH: '/nowhere' } });
    const [pid, , , , group] = (await collect()).stdout.split(' ');
    expect(group).toBe(pid);
  });

  it('keeps its files from other users, and the configuration only until it is read', async () => {
    await host.start(uuid, { command: ['sleep', '100'], env: { SECRET: 'x' } });
    await running();
    expect(statSync(host.home(uuid)).mode & 0o077).toBe(0);
    expect((await readdir(join(host.folder, 'state'))).sort()).toEqual(['c', 'watch']);
  });

  it('ends although a process that left the group holds the output', async () => {
    await host.start(uuid, sh('setsid sleep 100 & sleep 0.2; echo hi'));
    expect(await collect()).toMatchObject({
      exitCode: 0,
      stdout: 'hi\n',
      note: 'a process that it left behind was ended',
    });
  });

  it.each(['--list', '--collect', '--kill', '--detach'])(
    'ends what a killed supervisor left, in its group and out of it, at the next %s',
    async (mode) => {
      await host.start(uuid, sh('sleep 100 & setsid sleep 101 & echo $! $$; wait'));
      await running();
      await expect.poll(() => readFileSync(join(host.home(uuid), 'stdout'), 'utf8')).toMatch(/\n/);
      const pids = readFileSync(join(host.home(uuid), 'stdout'), 'utf8')
        .trim()
        .split(' ');
      process.kill(await host.pidOf(uuid), 'SIGKILL');
      process.kill(Number(readFileSync(join(host.home(uuid), 'main'), 'utf8').split(' ')[0]), 'SIGKILL');
      expect((await host.run(['--discard', uuid])).code).toBe(3);
      if (mode === '--list') await expect.poll(() => host.list(), patient).toEqual([`${uuid} ended`]);
      if (mode === '--kill') await host.until(0, mode, '15', uuid);
      if (mode === '--detach') await expect.poll(async () => (await host.start(uuid)).code, patient).toBe(0);
      else {
        expect(parseCollected(uuid, await host.until(0, '--collect', uuid))).toMatchObject({
          isLost: true,
          note: expect.stringContaining('left behind w') as string,
        });
      }
      for (const pid of pids) expect(runs(pid)).toBe(false);
    },
  );

  itWithTools?.each([
    ['its pipes cannot be made', 'mkfifo', 'exit 1', 'cannot make pipes'],
    [
      'its configuration is gone',
      'setsid',
      'for file in "$@"; do :; done; rm -f "$file"; exec "$@"',
      'the configuration is gone',
    ],
    ['its supervisor dies', 'mkfifo', 'kill -KILL $PPID', 'its supervisor ended before the command began'],
  ])('charges the instance, not the command, when nothing ran since %s', async (_, tool, script, text) => {
    await rm(join(host.bin, tool), { force: true });
    await writeFile(join(host.bin, tool), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await host.start(uuid, { command: ['true'] });
    expect((await collect()).fault).toEqual({ kind: 'instance', text });
  });

  it('does not tell a watcher that a container ended that takes long to start', async () => {
    const lines = watch();
    await expect.poll(() => lines, patient).toContain('attached');
    await mkdir(host.home(uuid), { recursive: true });
    await writeFile(host.lockFile(uuid), '');
    const letGo = await host.hold(uuid);
    try {
      const alive = (): number => lines.filter((line) => line === 'alive').length;
      const before = alive();
      await expect.poll(alive, patient).toBeGreaterThan(before + 3);
      expect(lines.filter((line) => line.startsWith('ended'))).toEqual([]);
    } finally {
      letGo();
    }
    await expect.poll(() => lines, patient).toContain(`ended ${uuid}`);
  });

  it('says of a container that a reboot ended that the instance rebooted', async () => {
    await host.start(uuid, { command: ['sleep', '100'] });
    await running();
    const files = ['began', 'main'].map((file) => join(host.home(uuid), file));
    const main = Number(readFileSync(files[1]!, 'utf8').split(' ')[0]);
    process.kill(await host.pidOf(uuid), 'SIGKILL');
    process.kill(main, 'SIGKILL');
    await expect.poll(() => runs(String(main)), patient).toBe(false);
    for (const file of files)
      await writeFile(
        file,
        readFileSync(file, 'utf8').replace(/@.*/, '@00000000-0000-0000-0000-000000000000'),
      );
    expect(await collect()).toMatchObject({ isLost: true, note: 'the instance rebooted' });
  });

  it('survives SIGUSR2 from its first instant, and many at once (N-5)', async () => {
    await host.start(uuid, sh('sleep 0.5; exit 9'));
    const pid = await host.pidOf(uuid);
    for (let round = 0; round < 50; round += 1) {
      process.kill(pid, 'SIGUSR2');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await collect()).toMatchObject({ exitCode: 9 });
  });

  it('stops a container that is killed in the instant it starts', async () => {
    for (let round = 0; round < 10; round += 1) {
      await host.start(uuid, { command: ['sleep', '100'] });
      process.kill(await host.pidOf(uuid), 'SIGTERM');
      expect(await collect()).toMatchObject({ exitCode: 143, note: 'stopped on request' });
      expect((await host.run(['--discard', uuid])).code).toBe(0);
    }
  });

  it('keeps exit codes, and tells of a command that is not there', async () => {
    for (const [script, exitCode] of [
      ['exit 0', 0],
      ['exit 127', 127],
      ['exit 255', 255],
      ['kill -9 $$', 137],
    ] as const) {
      await host.start(uuid, sh(script));
      expect(await collect()).toMatchObject({ exitCode });
      await host.run(['--discard', uuid]);
    }
    await host.start(uuid, { command: ['no-such-program'] });
    expect((await collect()).exitCode).toBe(127);
    await host.run(['--discard', uuid]);
    await host.start(uuid, { command: ['true'], cwd: '/no/such/folder' });
    expect(await collect()).toMatchObject({
      exitCode: 127,
      stderr: expect.stringMatching(/\/no\/such/) as string,
    });
  });

  it('runs with standard input at its end', async () => {
    await host.start(uuid, { command: ['cat'] });
    expect(await collect()).toMatchObject({ exitCode: 0, stdout: '' });
  });

  it('refuses a configuration that was cut off, and holds no lock while it waits for one', async () => {
    const slow = host.spawn('--detach', '--stdin-config', uuid);
    slow.stdin!.write('{"Longshore":"aW1hZ2');
    expect(await host.list()).toEqual([]);
    const code = new Promise((resolve) => slow.on('close', resolve));
    slow.stdin!.end();
    expect(await code).toBe(65);
    expect(await host.list()).toEqual([]);
  });

  it('says so in plain words when its folders cannot be written (K-34)', async () => {
    await writeFile(join(host.folder, 'file'), '');
    host.env['LONGSHORE_LOCK_DIR'] = join(host.folder, 'file', 'lock');
    for (const args of [['--list'], ['--kill', '15', uuid], ['--discard', uuid]])
      expect(await host.run(args)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('cannot') as string,
      });
    expect((await host.start(uuid)).code).toBe(71);
  });

  it.each([
    ['full', 'size=64k', 'dd if=/dev/zero of="$0/fill" bs=1k count=200', 'No space left on device|I/O error'],
    ['out of inodes', 'size=1m,nr_inodes=60', 'for i in $(seq 60); do >"$0/fill$i"; done', 'No space left'],
    ['read-only', 'size=1m', 'mount -o remount,ro "$0"', 'Read-only file system'],
  ])(
    'refuses to start on a disk that is %s, and lists itself as broken with the reason',
    async (_, options, spoil, reason) => {
      const state = join(host.folder, 'state');
      await mkdir(join(state), { recursive: true });
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', state], { encoding: 'utf8' });
      if (mounted.status !== 0) return skipped(`cannot mount a small disk: ${mounted.stderr}`);
      try {
        await host.start('zzzzz-dz642-000000000000002');
        await expect.poll(() => host.list(), patient).toContain('zzzzz-dz642-000000000000002 ended');
        spawnSync('sh', ['-c', spoil, state]);
        const lines = await host.list();
        expect(lines.slice(0, 2)).toEqual([
          'broken',
          expect.stringMatching(`^broken-because cannot write to ${state}: .*(${reason})`),
        ]);
        expect(lines).toContain('zzzzz-dz642-000000000000002 ended');
        const refused = await host.start(uuid);
        expect([refused.code, refused.stderr]).toEqual([71, expect.stringMatching(reason)]);
        expect(await host.list()).not.toContain(uuid);
      } finally {
        spawnSync('umount', ['-l', state]);
      }
    },
  );

  itWithTools?.('charges the instance when its disk is full before the command begins', async () => {
    const state = join(host.folder, 'state');
    await mkdir(state);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', state], {
      encoding: 'utf8',
    });
    if (mounted.status !== 0) return skipped(`cannot mount a small disk: ${mounted.stderr}`);
    const fill = `dd if=/dev/zero of=${state}/fill bs=1k count=999 2>/dev/null; exec ${findTool('mkfifo')} "$@"`;
    await writeFile(join(host.bin, 'mkfifo'), `#!/bin/sh\n${fill}\n`, { mode: 0o755 });
    try {
      await host.start(uuid, { command: ['touch', join(host.folder, 'began')] });
      const result = await collect();
      expect(result.fault?.kind).toBe('instance');
      expect(existsSync(join(host.folder, 'began'))).toBe(false);
      expect((await host.list()).slice(0, 2)).toEqual(['broken', expect.stringContaining('No space left')]);
    } finally {
      spawnSync('umount', ['-l', state]);
    }
  });

  itWithTools?.('refuses to start where a tool is missing that it needs, and names it', async () => {
    host.env['PATH'] = host.bin;
    const needed = [
      'sh',
      'flock',
      'base64',
      'sed',
      'head',
      'tail',
      'cat',
      'date',
      'mv',
      'mkdir',
      'rm',
      'stat',
    ];
    for (const tool of [...needed, 'id', 'tr', 'sleep']) {
      const path = findTool(tool);
      if (path && !existsSync(join(host.bin, tool))) await symlink(path, join(host.bin, tool));
    }
    await rm(join(host.bin, 'mkfifo'), { force: true });
    expect((await host.list()).slice(0, 2)).toEqual(['broken', 'broken-because mkfifo is missing']);
    const refused = await host.start(uuid);
    expect([refused.code, refused.stderr]).toEqual([71, expect.stringContaining('mkfifo is missing')]);
  });

  it('refuses a second of two starts at the same time, while others look on', async () => {
    const lookers = Array.from({ length: 5 }, () => host.run(['--list']));
    const starts = await Promise.all([1, 2, 3, 4].map(() => host.start(uuid, { command: ['sleep', '100'] })));
    await Promise.all(lookers);
    expect(starts.map(({ code }) => code).sort()).toEqual([0, 73, 73, 73]);
    expect(await host.list()).toEqual([uuid]);
  });

  it('ignores words it does not know and variables of the caller, but not missing ones (N-1)', async () => {
    Object.assign(host.env, { target: 'x', tool: 'y', uuid: 'z', home: '/', pid: '1', told: '1', lock: '/' });
    expect((await host.run(['--list', '--odd'])).code).toBe(2);
    expect((await host.run(['--watch', 'x'])).code).toBe(2);
    expect((await host.run(['--kill', 'TERM', uuid])).code).toBe(2);
    expect((await host.run(['--detach', '--stdin-config'])).code).toBe(2);
    expect((await host.run(['--detach', '--stdin-config', uuid, uuid])).code).toBe(2);
    expect((await host.run(['--version'])).stdout).toMatch(/^longshore-runner /);
    expect((await host.start(uuid)).code).toBe(0);
    expect((await collect()).exitCode).toBe(0);
  });

  it('takes prices only whole, and passes over entries that are no containers', async () => {
    await host.run(['--list', '--stdin-prices'], '[{"Price":1}]');
    expect(readFileSync(join(host.lockDir, 'crunch-run-prices.json'), 'utf8')).toBe('[{"Price":1}]');
    await host.run(['--list', '--stdin-prices'], '');
    expect(readFileSync(join(host.lockDir, 'crunch-run-prices.json'), 'utf8')).toBe('[{"Price":1}]');
    await mkdir(join(host.folder, 'state', 'c', 'broken\nfoo'));
    expect(await host.list()).toEqual([]);
    expect((await readdir(host.lockDir)).filter((file) => file.includes('~'))).toEqual([]);
  });

  it('tells a watcher of a supervisor that was killed, and does not wait for watchers that are stopped', async () => {
    const lines = watch();
    const stuck = host.spawn('--watch');
    const heard: string[] = [];
    createInterface({ input: stuck.stdout! }).on('line', (line) => heard.push(line));
    await expect.poll(() => heard, patient).toContain('alive');
    stuck.kill('SIGSTOP');
    await host.start(uuid, { command: ['sleep', '100'] });
    await expect.poll(() => lines, patient).toContain(`started ${uuid}`);
    process.kill(await host.pidOf(uuid), 'SIGKILL');
    await expect.poll(() => host.list(), patient).toEqual([`${uuid} ended`]);
    await expect.poll(() => lines, patient).toContain(`ended ${uuid}`);
    await writeFile(join(host.lockDir, 'crunch-run-broken'), '');
    await expect.poll(() => lines, patient).toContain('broken');
  });

  it('leaves no process behind', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `zzzzz-dz642-${String(i).padStart(15, '0')}`);
    // Commands that end at once: a helper of their supervisors may be asked to end before it minds signals.
    for (const id of ids) await host.start(id, { ...sh('sleep 100 & exit 0'), maxRunTimeMs: 60_000 });
    for (const id of ids) await expect.poll(() => host.list(), patient).toContain(`${id} ended`);
    const mine = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
        try {
          if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes(host.folder)) found.push(pid);
        } catch {
          // It ended meanwhile.
        }
      }
      return found;
    };
    await expect.poll(mine, patient).toEqual([]);
  });
});
