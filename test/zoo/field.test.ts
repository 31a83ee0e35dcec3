import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { whyNoZoo } from './namespaces.js';
import { until } from './until.js';

const script = fileURLToPath(new URL('../../scripts/field.ts', import.meta.url));
const patienceMs = 60_000;

const ways: [string, (field: ChildProcess) => void][] = [
  ['is interrupted', (field) => field.kill('SIGINT')],
  ['is terminated', (field) => field.kill('SIGTERM')],
  ['loses its terminal', (field) => field.kill('SIGHUP')],
  ['is killed', (field) => field.kill('SIGKILL')],
  ['has no reader any more', (field) => field.stdout!.destroy()],
];

describe.concurrent('scripts/field', () => {
  it.for(ways)(
    'leaves no host and no daemon behind when it %s',
    { timeout: 4 * patienceMs },
    async ([, end], { expect, skip }) => {
      const reason = whyNoZoo();
      if (reason !== undefined) return skip(reason);
      const words = [
        '--import',
        'tsx',
        script,
        '--source',
        '--jobs',
        '1',
        '--only',
        '^(plain|dash|umask 077)$',
      ];
      const field = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => field.once('exit', resolve));
      try {
        const started = new Set<number>();
        await until('a host and a daemon', patienceMs, async () => {
          const now = await descendantsOf(field.pid!);
          for (const { pid } of now) started.add(pid);
          const has = (text: string): boolean => now.some(({ command }) => command.includes(text));
          return has('sshd') && has('serve');
        });
        end(field);
        await ended;
        await until('all that it started to end', patienceMs, async () => {
          const running = await Promise.all([...started].map(commandOf));
          return running.every((command) => command === '');
        });
        expect(started.size).toBeGreaterThan(2);
      } finally {
        field.kill('SIGKILL');
      }
    },
  );
});

interface Process {
  pid: number;
  command: string;
}

async function descendantsOf(root: number): Promise<Process[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isBelow = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at))
      if (at === root) return true;
    return false;
  };
  const pids = [...parents.keys()].filter(isBelow);
  return Promise.all(pids.map(async (pid) => ({ pid, command: await commandOf(pid) })));
}

/** `''` for one that has ended. */
async function commandOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.replaceAll('\0', ' ').trim();
}
