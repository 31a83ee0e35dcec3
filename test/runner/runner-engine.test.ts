import { existsSync, readFileSync } from 'node:fs';
import { chmod, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCollected, type CollectedResult } from '../../src/runner/collected-result.js';
import type { SpotNotices } from '../../src/runner/start-document.js';
import { RunnerHost } from '../support/runner-host.js';
import { requireTool } from '../support/tools.js';

const uuid = 'zzzzz-dz642-000000000000001';
const shells: [string, string[]][] = [
  ['sh', ['sh']],
  ['busybox', ['busybox', 'sh']],
];
const patient = { timeout: 20_000 };

describe.each(shells)('with engines and on spot instances, the runner program in %s', (name, shell) => {
  let host: RunnerHost;
  beforeEach(async (context) => {
    requireTool(context, name);
    host = await RunnerHost.create(shell);
  });
  afterEach(() => host?.remove());

  const ended = (): Promise<void> => expect.poll(() => host.list(), patient).toContain(`${uuid} ended`);
  const collect = async (): Promise<CollectedResult> => {
    await ended();
    return parseCollected(uuid, (await host.run(['--collect', uuid])).stdout);
  };
  const watch = (): string[] => {
    const lines: string[] = [];
    createInterface({ input: host.spawn('--watch').stdout! }).on('line', (line) => lines.push(line));
    return lines;
  };

  describe('with a container engine', () => {
    /**
     * An engine with a daemon, images and containers in its folder, which writes its words down. `script`: what the
     * container does; each step can be made to fail: `fail('create', 'text')`.
     */
    const engine = async (script = 'exit 0', faults = ''): Promise<void> => {
      const file = join(host.bin, 'docker');
      await rm(file, { force: true });
      const body = [
        `printf '%s\\n' "$*" >>"${host.folder}/calls"`,
        `state="${host.folder}/state-of-engine"; status=exited oom=false error=`,
        `fail() { [ "$step" != "$1" ] || { echo "$2" >&2; exit "\${3:-125}"; }; }`,
        'step=$1; for word in "$@"; do [ "$word" != /longshore-no-such-program ] || step=control; done',
        faults,
        'case $step in',
        `create) while [ "$1" != -- ]; do [ "$1" != --env-file ] || cat "$2" >>"${host.folder}/variables"; shift; done`,
        `  env >"${host.folder}/environment";;`,
        `start) (${script}); code=$?; echo "$status $code $oom $error" >"$state"; exit $code;;`,
        'control) exit 127;;',
        'inspect) cat "$state";;',
        'esac',
      ];
      await writeFile(file, `#!/bin/sh\n${body.join('\n')}\n`);
      await chmod(file, 0o755);
    };
    const calls = (): string[] => readFileSync(join(host.folder, 'calls'), 'utf8').trim().split('\n');
    const isBroken = async (): Promise<string[]> =>
      (await host.list()).filter((line) => /^broken/.test(line));

    it('runs the image with limits and folder, and no variable or word of its own goes where it does not belong', async () => {
      await engine('echo out; echo err >&2; exit 5');
      const env = { A: 'it is', image: 'mine', DOCKER_HOST: 'tcp://elsewhere', PATH: '/container' };
      const limits = { cwd: '/w', vcpus: 2, ramBytes: 99 };
      await host.start(uuid, { image: '--help', command: ['-c', 'a b'], env, ...limits });
      expect(await collect()).toMatchObject({ exitCode: 5, stdout: 'out\n', stderr: 'err\n' });
      expect(calls()).toContain(
        `create --init --name longshore-${uuid} --log-driver none --env-file ${host.home(uuid)}/variables --env A --env image ` +
          '--workdir /w --memory 99 --cpus 2 -- --help -c a b',
      );
      expect(readFileSync(join(host.folder, 'variables'), 'utf8')).toBe(
        'DOCKER_HOST=tcp://elsewhere\nPATH=/container\n',
      );
      expect(readFileSync(join(host.folder, 'environment'), 'utf8')).toMatch(/^A=it is$/m);
      expect(existsSync(join(host.home(uuid), 'variables'))).toBe(false);
      expect(calls().join('\n')).not.toContain('it is');
      expect(await isBroken()).toEqual([]);
    });

    it('removes from the engine what outlives its client', async () => {
      await engine('trap "" TERM; sleep 100 & wait; sleep 100');
      await host.start(uuid, { image: 'x', maxRunTimeMs: 1_000 });
      expect((await collect()).note).toBe('stopped at its time limit');
      expect(calls().at(-1)).toBe(`rm -f longshore-${uuid}`);
    });

    it.each([
      ['docker, which says so', '[ "$1" != info ] || echo N/A'],
      ['podman, which creates nothing', 'case "$1 $2" in "create --init") echo no init >&2; exit 125;; esac'],
    ])('needs no init program of %s', async (_, faults) => {
      await engine('exit 4', faults);
      await host.start(uuid, { image: 'x' });
      expect(await collect()).toMatchObject({ exitCode: 4, note: '' });
      expect(calls()).toContainEqual(expect.stringMatching(/^create --name/));
      expect(await isBroken()).toEqual([]);
    });

    it('takes the exit code that the engine gives to a program that is not there', async () => {
      await engine('exit 127', 'status=created error="exec: no such file"');
      await host.start(uuid, { image: 'x' });
      const result = await collect();
      expect([result.exitCode, result.fault]).toEqual([127, undefined]);
    });

    it('removes from the engine what a killed supervisor left, and counts it as alive until then', async () => {
      await engine(
        'sleep 100 & wait',
        `[ ! -e "${host.folder}/stuck" ] || case $1 in rm | ps) exit 1;; esac`,
      );
      await host.start(uuid, { image: 'x' });
      await expect.poll(calls, patient).toContain(`start --attach longshore-${uuid}`);
      await writeFile(join(host.folder, 'stuck'), '');
      process.kill(await host.pidOf(uuid), 'SIGKILL');
      await expect.poll(() => host.list(), patient).toEqual([`orphaned ${uuid}`, uuid]);
      await rm(join(host.folder, 'stuck'));
      await expect.poll(() => host.list(), patient).toEqual([`${uuid} ended`]);
      expect(calls().at(-1)).toBe(`rm -f longshore-${uuid}`);
      expect((await collect()).isLost).toBe(true);
    });

    it('takes exit codes for those of the command, whatever it prints', async () => {
      await engine('echo "Cannot connect to the Docker daemon at unix:///x." >&2; exit 125');
      await host.start(uuid, { image: 'x' });
      const result = await collect();
      expect([result.exitCode, result.fault, await isBroken()]).toEqual([125, undefined, []]);
    });

    it('marks the instance broken, with the words of the engine, when the engine does not answer (N-8)', async () => {
      const text = 'docker: the engine behind "unix:///var/run/docker.sock" gave no answer';
      await engine('exit 0', `fail version '${text}'`);
      await host.start(uuid, { image: 'x' });
      const said = text.replaceAll('"', "'");
      expect((await collect()).fault).toEqual({ kind: 'instance', text: said });
      expect(await isBroken()).toEqual([
        'broken',
        `broken-because its container engine does not work: ${said}`,
      ]);
    });

    it.each(['create', 'control'])(
      'tells an engine that creates nothing from one that refuses (%s)',
      async (step) => {
        await engine('exit 0', `fail create 'invalid argument'; fail ${step} 'no space for layers'`);
        await host.start(uuid, { image: 'x' });
        const { exitCode, fault, note } = await collect();
        if (step === 'control') {
          expect(fault).toEqual({ kind: 'instance', text: 'invalid argument' });
          expect((await isBroken())[0]).toBe('broken');
        } else {
          const said = 'the engine refused this container: invalid argument';
          expect([exitCode, fault, await isBroken()]).toEqual([125, undefined, []]);
          expect(note).toContain(said);
        }
      },
    );

    it('does not take an image that cannot be had for the end of the command', async () => {
      await engine('exit 0', `fail image 'no such image' 1; fail pull 'manifest unknown' 1`);
      await host.start(uuid, { image: 'x:gone' });
      expect((await collect()).fault).toEqual({
        kind: 'image',
        text: 'cannot pull image x:gone: manifest unknown',
      });
      expect(await isBroken()).toEqual([]);
    });

    it.each([
      ['a program that is not in the image is its own', 'error="exec: not found"; exit 127', undefined, 127],
      ['a run that the engine gave up is lost', 'status=running; exit 1', 'run', undefined],
    ])('looks at the state of the container: %s', async (_, script, kind, exitCode) => {
      await engine(script.replace(/^(.*); exit (\d+)$/, '$1; exit $2'));
      const file = join(host.bin, 'docker');
      const text = readFileSync(file, 'utf8').replace(
        /start\) \((.*); exit (\d+)\); code=\$\?/,
        'start) $1; code=$2',
      );
      await writeFile(file, text);
      await host.start(uuid, { image: 'x' });
      const result = await collect();
      expect(result.fault?.kind).toBe(kind);
      if (exitCode !== undefined) expect(result.exitCode).toBe(exitCode);
    });

    it.each([
      ['that starts a shell of the image: the code is the job its own', 'exit 41', undefined],
      [
        'that starts nothing of the image: the attempt is lost',
        'echo "FATAL: no loop device" >&2; exit 255',
        'run',
      ],
    ])('asks a singularity that ended with 255 for another start, %s', async (_, control, kind) => {
      const script = `case "$1 $*" in *"exit 41") ${control};; exec*) echo "FATAL: no loop device" >&2; exit 255;; esac`;
      await writeFile(join(host.bin, 'singularity'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      host.engine = 'singularity';
      await host.start(uuid, { image: 'x', command: ['job'] });
      const { exitCode, fault } = await collect();
      expect([fault?.kind, kind ? 255 : exitCode]).toEqual([kind, 255]);
      if (kind) expect(fault?.text).toContain('no loop device');
    });

    it('says that there is none, which is no end of the command', async () => {
      for (const tool of [
        'sh',
        'flock',
        'base64',
        'sed',
        'grep',
        'head',
        'tail',
        'cat',
        'tr',
        'wc',
        'date',
        'sleep',
        'stat',
        'id',
        'mkdir',
        'mkfifo',
        'mv',
        'rm',
        'truncate',
        'timeout',
        'setsid',
        'env',
        'busybox',
      ]) {
        const path = requireTool({ skip: () => {} } as never, tool);
        if (!existsSync(join(host.bin, tool)) && path) await symlink(path, join(host.bin, tool));
      }
      host.env['PATH'] = host.bin;
      await host.start(uuid, { image: 'debian:12' });
      expect((await collect()).fault).toEqual({
        kind: 'image',
        text: 'no container engine on this instance for image debian:12',
      });
    });
  });

  describe('on a spot instance', () => {
    let server: Server;
    let cloud: SpotNotices;
    let answer: (request: IncomingMessage, response: ServerResponse) => void;
    beforeEach(async () => {
      cloud = 'ec2';
      server = createServer((request, response) => {
        if (request.method === 'PUT') response.end('token-1');
        else answer(request, response);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      host.env['LONGSHORE_METADATA_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      host.env['LONGSHORE_SPOT_INTERVAL_S'] = '0.1';
    });
    afterEach(() => {
      server.closeAllConnections();
      server.close();
    });
    const start = (): Promise<unknown> => host.start(uuid, { command: ['sleep', '100'] }, 1_000, cloud);

    it('tells of an interruption once, after answers that there is none (DT-41, SP-4, SP-6)', async (context) => {
      requireTool(context, 'curl');
      let asked = 0;
      answer = (request, response) => {
        asked += 1;
        expect(request.headers['x-aws-ec2-metadata-token']).toBe('token-1');
        response.statusCode = asked < 3 ? 404 : 200;
        response.end('{"action":"stop","time":"2030-01-01T00:00:00Z"}');
      };
      const lines = watch();
      await expect.poll(() => lines).toContain('attached');
      await start();
      const notice = 'interruption {"action":"stop","time":"2030-01-01T00:00:00Z"}';
      await expect.poll(() => lines, patient).toContain(notice);
      await expect.poll(() => asked, patient).toBeGreaterThan(6);
      expect(lines.filter((line) => line === notice)).toHaveLength(1);
      expect(await host.list()).toContain(notice);
    });

    // "Scheduled Events for Linux VMs": learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
    it('tells of an eviction on Azure, of this machine alone, and of no other event', async (context) => {
      requireTool(context, 'curl');
      cloud = 'azure';
      const event = (EventType: string, name: string, NotBefore: string) => ({
        EventId: '4CAEA225-A741-474D-A72E-428C86FCD853',
        EventStatus: 'Scheduled',
        EventType,
        ResourceType: 'VirtualMachine',
        Resources: [name],
        NotBefore,
        Description: '',
        EventSource: 'Platform',
        DurationInSeconds: -1,
      });
      const late = 'Thu, 22 Jul 2021 05:00:00 GMT';
      const others = [event('Reboot', 'compute-set-a', late), event('Preempt', 'compute-set-ab', late)];
      const ours = event('Preempt', 'compute-set-a', 'Thu, 22 Jul 2021 04:50:17 GMT');
      const documents = [
        JSON.stringify({ DocumentIncarnation: 1, Events: [] }),
        JSON.stringify({ DocumentIncarnation: 2, Events: others }),
        JSON.stringify({ DocumentIncarnation: 3, Events: [...others, ours] }, null, 2),
      ];
      const asked: string[] = [];
      answer = (request, response) => {
        if (request.headers['metadata'] !== 'true') return void response.writeHead(400).end();
        const { pathname, searchParams } = new URL(request.url ?? '', 'http://host');
        if (!searchParams.has('api-version')) return void response.writeHead(400).end();
        if (pathname === '/metadata/instance/compute/name') return void response.end('Compute-set-a');
        asked.push(pathname);
        response.end(documents[Math.min(asked.length, documents.length) - 1]);
      };
      const lines = watch();
      await expect.poll(() => lines).toContain('attached');
      await start();
      const notice = 'interruption {"action":"preempt","time":"Thu, 22 Jul 2021 04:50:17 GMT"}';
      await expect.poll(() => asked.length, patient).toBeGreaterThan(4);
      await expect.poll(() => lines, patient).toContain(notice);
      expect(lines.filter((line) => line.startsWith('interruption'))).toEqual([notice]);
      expect(new Set(asked)).toEqual(new Set(['/metadata/scheduledevents']));
      expect(await host.list()).toContain(notice);
    });

    it('gives up after six answers in a row that mean nothing (DT-41, SP-5)', async (context) => {
      requireTool(context, 'curl');
      let asked = 0;
      answer = (_, response) => {
        asked += 1;
        response.statusCode = asked === 3 ? 404 : 500;
        response.end();
      };
      await start();
      const log = (): string => readFileSync(join(host.home(uuid), 'supervisor.log'), 'utf8');
      await expect.poll(log, patient).toContain('try 6');
      expect(asked).toBe(9);
    });
  });
});
