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
    /** An engine that writes its words to its folder and does what the script says. */
    const engine = async (script: string): Promise<void> => {
      const file = join(host.bin, 'docker');
      await rm(file, { force: true });
      await writeFile(
        file,
        `#!/bin/sh\nprintf '%s\\n' "$*" >>"${host.folder}/calls"\n[ "$1" != rm ] || exit 0\n${script}\n`,
      );
      await chmod(file, 0o755);
    };
    const calls = (): string[] => readFileSync(join(host.folder, 'calls'), 'utf8').trim().split('\n');

    it('runs the image with limits, folder and variables', async () => {
      await engine('env; exit 5');
      const env = { A: 'it is', image: 'mine', DOCKER_HOST: 'tcp://elsewhere', PATH: '/container' };
      await host.start(uuid, {
        image: 'debian:12',
        command: ['echo', 'a b'],
        env,
        cwd: '/w',
        vcpus: 2,
        ramBytes: 99,
      });
      const result = await collect();
      expect(result.exitCode).toBe(5);
      expect(result.stdout).toMatch(/^A=it is$/m);
      expect(result.stdout).not.toMatch(/^(DOCKER_HOST=tcp|PATH=\/container)/m);
      expect(calls()).toContain(
        `run --rm --init --name longshore-${uuid} --env DOCKER_HOST=tcp://elsewhere --env PATH=/container ` +
          '--env A --env image --workdir /w --memory 99 --cpus 2 debian:12 echo a b',
      );
      expect(await host.list()).not.toContain('broken');
    });

    it('removes from the engine what outlives its client', async () => {
      await engine('trap "" TERM; sleep 100 & wait; sleep 100');
      await host.start(uuid, { image: 'x', maxRunTimeMs: 1_000 });
      expect((await collect()).note).toBe('stopped at its time limit');
      expect(calls().at(-1)).toBe(`rm -f longshore-${uuid}`);
    });

    it('calls the instance broken when the engine is out of order, not when a command says so (N-8)', async () => {
      await engine('echo "Cannot connect to the Docker daemon at unix:///x." >&2; exit 1');
      await host.start(uuid, { image: 'x' });
      await ended();
      expect(await host.list()).not.toContain('broken');
      await host.run(['--discard', uuid]);
      await engine('echo "Cannot connect to the Docker daemon at unix:///x." >&2; exit 125');
      await host.start(uuid, { image: 'x' });
      await expect.poll(() => host.list(), patient).toContain('broken');
    });

    it('ends with 127 where there is none', async () => {
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
      expect(await collect()).toMatchObject({
        exitCode: 127,
        stderr: expect.stringContaining('no container engine') as string,
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
