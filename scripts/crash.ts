// See scripts/crash.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { DaemonProcess } from '../test/support/daemon.js';
import { startWatchdog } from './watched.mjs';

interface Item {
  state: string;
  exitCode: number | null;
}

interface Outcome {
  kills: number;
  /** Containers that were complete at each kill. */
  done: number[];
  complete: number;
  twice: number;
  missing: number;
  instancesLeft: number;
  restartMs: number;
  tookMs: number;
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, containers: { type: 'string', default: '40' } },
});
const runs = Number(values.runs);
const count = Number(values.containers);
const watchdog = startWatchdog();
const longestRunMs = 240_000;

async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs = longestRunMs,
): Promise<T> {
  for (const deadlineAt = Date.now() + withinMs; ;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadlineAt) throw new Error(`${what}: not within ${withinMs / 1_000} s`);
    await pause(50);
  }
}

async function run(): Promise<Outcome> {
  const beganAt = Date.now();
  const daemon = await DaemonProcess.create('timeoutIdle: 1s');
  watchdog.folder(daemon.folder);
  try {
    await daemon.start();
    const log = daemon.path('ran');
    const containers = Array.from({ length: count }, (_, index) => ({
      command: [
        'sh',
        '-c',
        `echo start ${index} >>${log}; sleep 0.${1 + (index % 5)}; echo end ${index} >>${log}`,
      ],
      vcpus: 1,
      ram: '1MiB',
    }));
    await daemon.call('/v1/containers', { containers });
    const items = async (): Promise<Item[]> =>
      (await daemon.call<{ items: Item[] }>('/v1/containers?limit=1000')).items;
    const complete = async (): Promise<number> =>
      (await items()).filter(({ state, exitCode }) => state === 'Complete' && exitCode === 0).length;
    const kills = 1 + Math.floor(Math.random() * 3);
    const done: number[] = [];
    let restartMs = 0;
    for (let kill = 0; kill < kills; kill++) {
      const from = Math.floor(Math.random() * count * 0.9);
      await until('work under way', async () => ((await complete()) >= from ? true : undefined));
      await pause(Math.random() * 700);
      done.push(await complete());
      await daemon.end('SIGKILL');
      const at = Date.now();
      if ((await daemon.start()) !== undefined)
        throw new Error(`it did not start again: ${daemon.log.slice(-500)}`);
      restartMs = Math.max(restartMs, Date.now() - at);
    }
    await until('all containers', async () => ((await complete()) >= count ? true : undefined));
    const instances = async (): Promise<number> =>
      (await daemon.call<{ items: unknown[] }>('/v1/instances')).items.length;
    await until('no instance', async () => ((await instances()) === 0 ? true : undefined), 60_000).catch(
      () => {},
    );
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const times = (word: string): number[] =>
      Array.from({ length: count }, (_, index) => lines.filter((line) => line === `${word} ${index}`).length);
    return {
      kills,
      done,
      complete: await complete(),
      twice: times('start').filter((n) => n > 1).length,
      missing: times('end').filter((n) => n !== 1).length,
      instancesLeft: await instances(),
      restartMs,
      tookMs: Date.now() - beganAt,
    };
  } finally {
    await daemon.remove();
    watchdog.keep(daemon.folder);
  }
}

function isGood({ complete, twice, missing, instancesLeft }: Outcome): boolean {
  return complete === count && twice + missing + instancesLeft === 0;
}

let good = 0;
let kills = 0;
console.log('run  killed when so many were done  complete  twice  missing  instances left  restart  took');
for (let number = 1; number <= runs; number++) {
  try {
    const outcome = await run();
    if (isGood(outcome)) good++;
    kills += outcome.kills;
    const cells = [
      String(number).padStart(3),
      outcome.done.join(', ').padStart(29),
      String(outcome.complete).padStart(9),
      String(outcome.twice).padStart(6),
      String(outcome.missing).padStart(8),
      String(outcome.instancesLeft).padStart(15),
      `${(outcome.restartMs / 1_000).toFixed(1)} s`.padStart(8),
      `${Math.round(outcome.tookMs / 1_000)} s`.padStart(5),
    ];
    console.log(cells.join(' ') + (isGood(outcome) ? '' : '  FAULT'));
  } catch (error) {
    console.log(`${String(number).padStart(3)} ${String(error)}  FAULT`);
  }
}
const passed = good === runs;
console.log(
  `crash: ${passed ? 'PASS' : 'FAIL'}: ${good} of ${runs} runs, ${kills} kills: each of ${count} containers finished exactly once, no instance left`,
);
await watchdog.close();
process.exit(passed ? 0 : 1);
