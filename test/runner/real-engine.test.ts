import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseCollected, type CollectedResult } from '../../src/runner/collected-result.js';
import { RealEngine, tinyImage } from '../support/real-engine.js';
import { RunnerHost } from '../support/runner-host.js';
import { findTool, requireTool } from '../support/tools.js';
import type { ContainerWork } from '../../src/domain/container-work.js';

const uuid = 'zzzzz-dz642-000000000000001';
const patient = { timeout: 30_000 };
const sh = (script: string): Partial<ContainerWork> => ({
  image: tinyImage,
  command: ['/bin/sh', '-c', script],
});

const inits: [string, string | undefined][] = [
  ['an init program', findTool('catatonit')],
  ['no init program', '/no/such/init'],
];

describe.each(inits)('with podman that has %s, the runner program', { timeout: 60_000 }, (_, init) => {
  let engine: RealEngine | undefined;
  let refusal = '';
  let host: RunnerHost;

  beforeAll(async () => {
    if (!['podman', 'runc', 'busybox'].every(findTool) || init === undefined) return;
    engine = await RealEngine.create(init).catch((error: unknown) => {
      refusal = String(error);
      return undefined;
    });
  }, 60_000);
  afterAll(() => engine?.remove(), 60_000);

  beforeEach(async (context) => {
    for (const tool of ['podman', 'runc', 'busybox', 'catatonit']) requireTool(context, tool);
    if (!engine) {
      if (process.env['CI'] === 'true') throw new Error(`podman runs no container: ${refusal}`);
      context.skip(`podman runs no container here: ${refusal}`);
    }
    host = await RunnerHost.create(['sh']);
    host.engine = 'podman';
    await symlink(engine!.program, join(host.bin, 'podman'));
  });
  afterEach(() => host?.remove());

  const collect = async (): Promise<CollectedResult> => {
    await expect.poll(() => host.list(), patient).toContain(`${uuid} ended`);
    return parseCollected(uuid, (await host.run(['--collect', uuid])).stdout);
  };
  const runs = async (work: Partial<ContainerWork>): Promise<CollectedResult> => {
    expect(await host.start(uuid, work)).toMatchObject({ code: 0 });
    return collect();
  };
  const isBroken = async (): Promise<string[]> =>
    (await host.list()).filter((line) => line.startsWith('broken'));
  const isRunning = (): Promise<void> =>
    expect.poll(() => existsSync(join(host.home(uuid), 'stdout')) && output(), patient).toContain('running');
  const output = (): string => readFileSync(join(host.home(uuid), 'stdout'), 'utf8');
  const leavesNothing = async (): Promise<void> => {
    expect(await engine!.containers()).toEqual([]);
    expect(await isBroken()).toEqual([]);
    expect(existsSync(join(host.home(uuid), 'engine'))).toBe(false);
  };

  it('keeps exit codes and both streams, and leaves nothing in the engine', async () => {
    const odd = { exitCode: 3, stdout: 'out\n', stderr: 'err\n', note: '', isLost: false };
    expect(await runs(sh('echo out; echo err >&2; exit 3'))).toMatchObject(odd);
    expect(await runs(sh('exit 0'))).toMatchObject({ exitCode: 0, note: '' });
    expect(await runs(sh('exit 125'))).toMatchObject({ exitCode: 125, note: '' });
    await leavesNothing();
  });

  it('takes a program that is not in the image for the end of the job, by a path and by a name', async () => {
    for (const program of ['/no/such/program', 'no-such-program']) {
      const result = await runs({ image: tinyImage, command: [program] });
      expect([result.exitCode, result.fault]).toEqual([127, undefined]);
    }
    await leavesNothing();
  });

  it('says by a fault that an image cannot be had', async () => {
    const { fault } = await runs({ image: 'localhost:1/no/such:image', command: ['true'] });
    expect(fault).toMatchObject({ kind: 'image', text: expect.stringContaining('localhost:1') as string });
    await leavesNothing();
  });

  it('takes an image and words that look like options for what they are', async () => {
    expect((await runs({ image: '--help', command: ['-c'] })).fault).toMatchObject({ kind: 'image' });
    expect(await runs({ image: tinyImage, command: ['-c'] })).toMatchObject({ exitCode: 127 });
    expect(await runs({ image: tinyImage, command: ['/bin/cat', '--', '/-no'] })).toMatchObject({
      exitCode: 1,
    });
    await leavesNothing();
  });

  it('hands over odd variables, and shows no value on a command line', async () => {
    const env = {
      ...{ A: 'two\nlines', B: ' "quoted" $HOME `x` ', _x1: '#no comment', EMPTY: '', image: 'mine' },
      ...{
        HOME: ' h ',
        LD_PRELOAD_X: 'y',
        DOCKER_HOST: 'tcp://secret-word',
        CONTAINERS_CONF: '#z',
        PS1: "'",
      },
    };
    await host.start(uuid, {
      ...sh('env -0 2>/dev/null || cat /proc/self/environ; echo running; sleep 100'),
      env,
    });
    await isRunning();
    const lines = readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        } catch {
          return '';
        }
      });
    expect(lines.filter((line) => line.includes('secret-word') || line.includes('two\nlines'))).toEqual([]);
    const variables = output().split('\0');
    for (const [name, value] of Object.entries(env)) expect(variables).toContain(`${name}=${value}`);
    await host.until(0, '--kill', '15', uuid).catch(() => '');
    expect(await collect()).toMatchObject({ note: 'stopped on request' });
    await leavesNothing();
  });

  it('asks the job to stop before it makes it', async () => {
    await host.start(
      uuid,
      sh('trap "echo stopping; exit 9" TERM; echo running; while :; do sleep 0.1; done'),
    );
    await isRunning();
    await host.run(['--kill', '15', uuid]);
    const result = await collect();
    expect([result.stdout, result.note]).toEqual(['running\nstopping\n', 'stopped on request']);
    await leavesNothing();
  });

  it('ends at its time limit a job that minds no signal', async () => {
    const { note, timedOut } = await runs({
      ...sh('trap "" TERM; sleep 100 & wait; sleep 100'),
      maxRunTimeMs: 1_000,
    });
    expect([note, timedOut]).toEqual(['stopped at its time limit', true]);
    await leavesNothing();
  });

  it('says that a job was out of memory', async () => {
    const greedy = sh('x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo done');
    const result = await runs({ ...greedy, ramBytes: 30_000_000 });
    expect([result.exitCode, result.note]).toEqual([137, 'it was out of memory']);
    await leavesNothing();
  });

  it('does not take a folder that cannot be used for a fault of the instance', async () => {
    const result = await runs({ ...sh('true'), cwd: '/no/such/folder' });
    expect([result.exitCode, result.fault]).toEqual([125, undefined]);
    expect(result.note).toContain('/no/such/folder');
    await leavesNothing();
  });

  it('ends in the engine what a supervisor left that was killed', async () => {
    await host.start(uuid, sh('echo running; sleep 100'));
    await isRunning();
    expect(await engine!.containers()).toEqual([`longshore-${uuid}`]);
    process.kill(await host.pidOf(uuid), 'SIGKILL');
    expect((await collect()).isLost).toBe(true);
    await leavesNothing();
  });

  it.each([
    ['that cannot start anything', '/no/such/runtime'],
    ['whose runtime fails', '/bin/false'],
  ])('marks an instance broken that has an engine %s, in its words (N-8)', async (_, runtime) => {
    const file = join(host.folder, 'podman');
    await engine!.use(file, runtime);
    host.env['PATH'] = [host.folder, process.env['PATH']].join(':');
    const { fault } = await runs(sh('true'));
    expect(fault?.kind).toBe('instance');
    expect(await isBroken()).toEqual([
      'broken',
      expect.stringContaining('its container engine does not work: '),
    ]);
    expect(await engine!.containers()).toEqual([]);
  });
});
