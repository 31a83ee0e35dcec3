import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { byDefault } from './defaults.js';
import { notifyServiceManager } from '../../src/daemon/systemd-notify.js';
import { requireTool } from '../support/tools.js';

const root = join(import.meta.dirname, '../..');
const read = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');
const run = promisify(execFile);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-deploy-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the service of systemd', () => {
  const unit = read('longshore.service');

  it('is one that systemd takes', async (context) => {
    const program = requireTool(context, 'systemd-analyze');
    // On this host the programs are elsewhere, and there is no such user.
    const here = unit.replaceAll('/usr/bin/node', process.execPath).replace(/^(User|Group)=longshore$/gm, '');
    const path = join(folder, 'longshore.service');
    await writeFile(path, here);
    const { stdout, stderr } = await run(program, [
      'verify',
      '--man=no',
      '--recursive-errors=no',
      path,
    ]).catch((error: { stdout: string; stderr: string }) => error);
    const about = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('longshore.service'));
    expect(about).toEqual([]);
  });

  it('trips systemd when it has a fault, so that the check above can fail', async (context) => {
    const program = requireTool(context, 'systemd-analyze');
    const path = join(folder, 'longshore.service');
    await writeFile(path, unit.replace('Type=notify', 'Type=nonsense'));
    const { stderr } = await run(program, ['verify', '--man=no', '--recursive-errors=no', path]).catch(
      (error: { stderr: string }) => error,
    );
    expect(stderr).toContain('longshore.service');
  });

  it('starts what is built, where the daemon keeps its state, and gives it more time than it takes to stop', () => {
    const values = new Map(
      [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key!, value!] as const),
    );
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      bin: { longshore: string };
    };
    expect(values.get('ExecStart')).toContain(`/opt/longshore/${bin.longshore} --config`);
    expect(values.get('ExecStart')).toMatch(/ serve$/);
    expect(`/var/lib/${values.get('StateDirectory')}`).toBe(byDefault.stateDir);
    const [, graceMs] = /stopGraceMs = ([\d_]+)/.exec(readFileSync(join(root, 'src/longshore.ts'), 'utf8'))!;
    expect(Number(values.get('TimeoutStopSec')) * 1_000).toBeGreaterThan(
      Number(graceMs!.replaceAll('_', '')),
    );
    expect([values.get('Type'), values.get('NotifyAccess')]).toEqual(['notify', 'all']);
  });

  it('is told that the daemon is ready, and that it stops', async () => {
    const program = join(folder, 'systemd-notify');
    await writeFile(program, '#!/bin/sh\nprintf "%s|" "$@" "$NOTIFY_SOCKET" >>"$(dirname "$0")/told"\n');
    await chmod(program, 0o755);
    const env = { PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: '/run/x' };
    expect(await notifyServiceManager('ready', 'in service', env)).toBeUndefined();
    expect(await notifyServiceManager('stopping', 'bye', env)).toBeUndefined();
    const told = await readFile(join(folder, 'told'), 'utf8');
    expect(told).toBe('--ready|--status=in service|/run/x|--stopping|--status=bye|/run/x|');
  });

  it('is told nothing when there is none, and a missing program is no fault of the daemon', async () => {
    expect(await notifyServiceManager('ready', '', { PATH: folder })).toBeUndefined();
    expect(await notifyServiceManager('ready', '', { PATH: folder, NOTIFY_SOCKET: '/x' })).toContain(
      'ENOENT',
    );
  });
});

describe('the container image', () => {
  const steps = read('Containerfile')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line));
  const copied = steps
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));

  it('is made of files that there are, and that its ignore file lets through', () => {
    expect(copied.length).toBeGreaterThan(5);
    const allowed = read('Containerfile.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const source of copied) {
      expect([source, existsSync(join(root, source))]).toEqual([source, true]);
      expect(allowed).toContain(source.replace(/^\.\//, ''));
    }
    expect(read('Containerfile.dockerignore').split('\n')[0]).toBe('*');
    for (const name of allowed) expect(copied.map((source) => source.replace(/^\.\//, ''))).toContain(name);
  });

  it('copies all that the build reads', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      scripts: { build: string };
    };
    const read = [...scripts.build.matchAll(/(?:-p|tsx|node) (\S+)/g)].map(([, path]) => path!);
    expect(read.length).toBeGreaterThan(2);
    for (const path of read) {
      expect([path, copied.some((source) => path === source || path.startsWith(source))]).toEqual([
        path,
        true,
      ]);
    }
  });

  it('runs the program on a Node that it works on, not as root, and asks it for its health', () => {
    const text = steps.join('\n');
    const { engines, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      engines: { node: string };
      bin: { longshore: string };
    };
    const majors = [...text.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => major);
    expect(majors).toEqual([/\d+/.exec(engines.node)![0], /\d+/.exec(engines.node)![0]]);
    expect(text).toContain(`ENTRYPOINT ["node", "${bin.longshore}"]`);
    expect(text).toContain(`CMD ["node", "${bin.longshore}", "status"]`);
    expect(steps.findLast((line) => line.startsWith('USER '))).toBe('USER longshore');
    expect(text).toContain(`VOLUME ${byDefault.stateDir}`);
    expect(text).toContain(`EXPOSE ${byDefault.port}`);
  });
});

describe('the scrape of Prometheus', () => {
  it('asks where the metrics are, with a token', () => {
    const { scrape_configs: jobs } = parse(read('prometheus-scrape.yaml')) as {
      scrape_configs: {
        metrics_path: string;
        authorization: object;
        static_configs: { targets: string[] }[];
      }[];
    };
    expect(jobs).toMatchObject([
      { metrics_path: '/metrics', authorization: { credentials_file: expect.any(String) as string } },
    ]);
    expect(jobs[0]!.static_configs[0]!.targets).toEqual([`127.0.0.1:${byDefault.port}`]);
  });
});
