import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCollected } from '../../src/runner/collected-result.js';
import { RunnerHost } from '../support/runner-host.js';
import { requireTool } from '../support/tools.js';

const uuid = 'zzzzz-dz642-000000000000001';
const shells: [string, string[]][] = [
  ['sh', ['sh']],
  ['busybox', ['busybox', 'sh']],
];

describe.each(shells)('the runner program under %s', (name, shell) => {
  let host: RunnerHost;
  beforeEach(async (context) => {
    requireTool(context, name);
    host = await RunnerHost.create(shell);
  });
  afterEach(() => host?.remove());

  const ended = (id = uuid): Promise<void> =>
    expect.poll(() => host.list(), { timeout: 20_000 }).toContain(`${id} ended`);

  const collect = async (id = uuid): Promise<ReturnType<typeof parseCollected>> => {
    await ended(id);
    const { code, stdout } = await host.run(['--collect', id]);
    expect(code).toBe(0);
    return parseCollected(id, stdout);
  };

  it('starts, lists, kills and forgets a container (T-83, N-3, N-6, N-7)', async () => {
    const started = await host.start(uuid, { command: ['sleep', '100'] });
    expect(started.code).toBe(0);
    expect(JSON.parse(started.stdout)).toEqual({ UUID: uuid, PID: await host.pidOf(uuid) });
    expect(await host.list()).toEqual([uuid]);
    expect((await host.run(['--kill', '15', uuid])).code).toBe(0);
    expect(await host.list()).toEqual([`${uuid} ended`]);
    expect(existsSync(host.lockFile(uuid))).toBe(false);
    expect(await collect()).toMatchObject({ exitCode: 143, note: 'stopped on request' });
    expect((await host.run(['--discard', uuid])).code).toBe(0);
    expect(await host.list()).toEqual([]);
  });

  it('names the attempt in list, watch and result, and keeps it when another attempt is to be discarded', async () => {
    const watch = host.spawn('--watch');
    const heard: string[] = [];
    createInterface({ input: watch.stdout! }).on('line', (line) => heard.push(line));
    await expect.poll(() => heard).toContain('attached');
    await host.start(uuid, { command: ['sleep', '100'] }, 1_000, undefined, 7);
    expect(await host.list()).toEqual([`attempt ${uuid} 7`, uuid]);
    expect((await host.run(['--kill', '15', uuid])).code).toBe(0);
    expect(await host.list()).toEqual([`attempt ${uuid} 7`, `${uuid} ended`]);
    // A watcher that just attached may hear of a start twice: as what is there, and as news.
    const told = (): string[] => [...new Set(heard)].filter((line) => line !== 'alive');
    await expect.poll(told).toEqual(['attached', `started ${uuid} 7`, `ended ${uuid} 7`]);
    expect(await collect()).toMatchObject({ exitCode: 143, attempt: 7 });
    const other = await host.run(['--discard', uuid, '6']);
    expect([other.code, other.stderr]).toEqual([0, expect.stringContaining('with attempt 7')]);
    expect((await collect()).attempt).toBe(7);
    expect((await host.run(['--discard', uuid, '7'])).code).toBe(0);
    expect(await host.list()).toEqual([]);
  });

  it('takes no attempt for a start or a result of a daemon that names none', async () => {
    await host.start(uuid);
    expect((await collect()).attempt).toBeUndefined();
    expect(await host.list()).toEqual([`${uuid} ended`]);
    expect((await host.run(['--detach', '--stdin-config', '--attempt=x', uuid])).code).toBe(2);
  });

  it('keeps output, exit code and times', async () => {
    await host.start(uuid, { command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
    const result = await collect();
    expect(result).toMatchObject({ exitCode: 7, stdout: 'out\n', stderr: 'err\n', note: '' });
    const { startedAt, finishedAt } = result.hostTimes;
    expect(finishedAt).toBeGreaterThanOrEqual(startedAt);
    expect(Math.abs(startedAt - Date.now())).toBeLessThan(60_000);
  });

  it('measures runs by the uptime when the clock is in 1970, steps and says nonsense', async () => {
    const date = join(host.bin, 'date');
    await rm(date, { force: true });
    // In its place, since what is being executed cannot be written.
    const sayTime = async (text: string): Promise<void> => {
      await writeFile(`${date}.new`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      await rename(`${date}.new`, date);
    };
    await sayTime('echo 1000');
    const startedAt = Date.now();
    await host.start(uuid, { command: ['sleep', '1'] });
    await sayTime('echo 9999999999');
    await ended();
    await sayTime('echo about noon');
    const { durationMs, endedAgoMs, exitCode } = await collect();
    expect(exitCode).toBe(0);
    expect(durationMs).toBeGreaterThanOrEqual(980);
    expect(durationMs! + endedAgoMs!).toBeLessThanOrEqual(Date.now() - startedAt + 20);
  });

  it('hands over words and environment unchanged (K-26)', async () => {
    const env = { PLAIN: 'x', TRICKY: `a'b"c $HOME \`id\`\nsecond line`, EMPTY: '' };
    const command = ['sh', '-c', 'printf "%s|%s|%s" "$TRICKY" "$EMPTY" "$1"', 'sh', `it's; rm -rf "$x"`];
    await host.start(uuid, { command, env });
    expect((await collect()).stdout).toBe(`${env.TRICKY}||it's; rm -rf "$x"`);
  });

  it('refuses a second start while the first lives (T-85)', async () => {
    await host.start(uuid, { command: ['sleep', '100'] });
    const again = await host.start(uuid);
    expect([again.code, again.stderr]).toEqual([73, expect.stringContaining('already supervised')]);
    expect(await host.list()).toEqual([uuid]);
  });

  it('calls a lock stale that a helper holds after the runner died (T-84)', async () => {
    await host.start(uuid, { command: ['true'] });
    await ended();
    await host.run(['--discard', uuid]);
    await writeFile(host.lockFile(uuid), `{"UUID":"${uuid}","PID":999999999}\n`);
    const release = await host.hold(uuid);
    try {
      await expect.poll(() => host.list(), { timeout: 10_000 }).toContain(`${uuid} stale`);
    } finally {
      release();
    }
  });

  it('lets a result be collected while a helper holds the lock, and calls the lock stale after', async () => {
    await host.start(uuid, { command: ['true'] });
    await ended();
    await writeFile(host.lockFile(uuid), `{"UUID":"${uuid}","PID":999999999}\n`);
    const release = await host.hold(uuid);
    try {
      expect(await host.list()).toEqual([`${uuid} ended`]);
      expect(await collect()).toMatchObject({ exitCode: 0, isLost: false });
      await host.run(['--discard', uuid]);
      await expect.poll(() => host.list(), { timeout: 10_000 }).toEqual([`${uuid} stale`]);
    } finally {
      release();
    }
  });

  it('calls itself broken while the flag is there (T-86)', async () => {
    await host.list();
    await writeFile(join(host.lockDir, 'crunch-run-broken'), '');
    expect(await host.list()).toEqual(['broken']);
  });

  it('never signals a process that took over the number of a dead one (K-34)', async () => {
    await host.start(uuid, { command: ['true'] });
    await ended();
    const stranger = spawn('sleep', ['100'], { stdio: 'ignore' });
    await writeFile(host.lockFile(uuid), `{"UUID":"${uuid}","PID":${stranger.pid}}\n`);
    const release = await host.hold(uuid);
    try {
      expect(await host.list()).toEqual([`${uuid} ended`]);
      expect((await host.run(['--kill', '15', uuid])).code).toBe(0);
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    } finally {
      release();
      stranger.kill('SIGKILL');
    }
  });

  it('ends the process of a container whose supervisor was killed, and reports it lost then', async () => {
    await host.start(uuid, { command: ['sleep', '100'] });
    await expect.poll(() => existsSync(join(host.folder, 'state', 'c', uuid, 'main'))).toBe(true);
    process.kill(await host.pidOf(uuid), 'SIGKILL');
    expect(await collect()).toMatchObject({
      isLost: true,
      note: 'its supervisor ended without a result; a process that it left behind was ended',
    });
    const main = readFileSync(join(host.folder, 'state', 'c', uuid, 'main'), 'utf8').split(' ')[0]!;
    expect(existsSync(`/proc/${main}/exe`)).toBe(false);
  });

  it('cuts output at its limit without holding the command up', async () => {
    await host.start(
      uuid,
      { command: ['sh', '-c', 'head -c 30000000 /dev/zero | tr "\\0" x; exit 3'] },
      1_000,
    );
    const result = await collect();
    expect([result.exitCode, result.stdout.length, result.note]).toEqual([
      3,
      1_000,
      'output beyond the limit was dropped',
    ]);
  });

  it('stops a container at its time limit, even one that ignores TERM', async () => {
    await host.start(uuid, {
      command: ['sh', '-c', 'trap "" TERM; sleep 60 & wait; sleep 60'],
      maxRunTimeMs: 1_000,
    });
    expect(await collect()).toMatchObject({ exitCode: 137, note: 'stopped at its time limit' });
  });

  it('ends what the command left behind', async () => {
    await host.start(uuid, { command: ['sh', '-c', 'sleep 1000 & echo $!'] });
    const pid = Number((await collect()).stdout);
    await expect.poll(() => existsSync(`/proc/${pid}/exe`)).toBe(false);
  });

  it('runs twenty containers side by side', async () => {
    const uuids = Array.from({ length: 20 }, (_, index) => `zzzzz-dz642-${String(index).padStart(15, '0')}`);
    const codes = await Promise.all(
      uuids.map((id) => host.start(id, { command: ['sh', '-c', 'sleep 0.2'] })),
    );
    expect(codes.every(({ code }) => code === 0)).toBe(true);
    await expect
      .poll(async () => (await host.list()).filter((line) => line.endsWith(' ended')).length, {
        timeout: 20_000,
      })
      .toBe(20);
  });

  it('says what is wrong with its words and its input', async () => {
    expect((await host.run([])).code).toBe(2);
    expect((await host.run(['--kill', '15', 'x; rm -rf /'])).code).toBe(2);
    expect((await host.run(['--kill', '15'])).code).toBe(2);
    expect((await host.run(['--detach', '--stdin-config', '../../etc/passwd'], '{}')).code).toBe(2);
    const foreign = await host.run(['--detach', '--stdin-config', uuid], '{"Env":{}}');
    expect([foreign.code, foreign.stderr]).toEqual([65, expect.stringContaining('not for this runner')]);
    expect((await host.run(['--collect', uuid])).code).toBe(4);
    expect((await host.run(['--help'])).stdout).toContain('usage:');
  });

  it('passes over lock files that make no sense', async () => {
    await host.list();
    await writeFile(host.lockFile('zzzzz-dz642-00000000000000g'), 'garbage');
    await writeFile(join(host.lockDir, 'other.txt'), 'x');
    expect(await host.list()).toEqual([]);
  });

  it('tells watchers what is there and what happens', async () => {
    const watch = host.spawn('--watch');
    const lines: string[] = [];
    createInterface({ input: watch.stdout! }).on('line', (line) => line === 'alive' || lines.push(line));
    await expect.poll(() => lines).toEqual(['attached']);
    await host.start(uuid, { command: ['sleep', '0.3'] });
    await expect
      .poll(() => lines, { timeout: 10_000 })
      .toEqual(['attached', `started ${uuid}`, `ended ${uuid}`]);
    const late = host.spawn('--watch');
    const seen: string[] = [];
    createInterface({ input: late.stdout! }).on('line', (line) => seen.push(line));
    await expect.poll(() => seen).toContain(`ended ${uuid}`);
  });

  it('ends a watch when nobody listens any more', async () => {
    const watch = host.spawn('--watch');
    await new Promise((resolve) => watch.stdout!.once('data', resolve));
    const gone = new Promise((resolve) => watch.on('exit', resolve));
    watch.stdout!.destroy();
    await gone;
  });

  it('shows the output of a running container as it grows', async () => {
    await host.start(uuid, { command: ['sh', '-c', 'echo one; sleep 1; echo two'] });
    await expect.poll(async () => (await host.run(['--tail', uuid])).stdout).toBe('one\n');
    expect((await host.run(['--tail', uuid, '--follow', 'stdout'])).stdout).toBe('one\ntwo\n');
  });
});

it('is clean by shellcheck', (context) => {
  requireTool(context, 'shellcheck');
  const program = fileURLToPath(new URL('../../src/runner/longshore-runner.sh', import.meta.url));
  expect(execFileSync('shellcheck', [program], { encoding: 'utf8' })).toBe('');
});
