// scripts/soak: the whole daemon, simulated from one seed after the other. The last line is the verdict.
import { fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { shrinkFaults } from '../src/simulation/shrink.js';
import { scenarioOf } from '../src/simulation/scenario.js';
import { simulate, type SimulationResult } from '../src/simulation/simulate.js';
import { plantedBugs } from './planted-bugs.js';

interface Options {
  seeds: number;
  hours: number;
  firstSeed: number;
  workers: number;
  faults?: number[];
  planted?: string;
  journal?: string;
  shrink: boolean;
}

interface Verdict {
  seed: number;
  lines: string[];
  violations: number;
}

const mostTries = 40;
/** In place of a rule that was broken. */
const thrown = 'it threw';
const number = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`"${text}" is no number`);
  return value;
};

const program = new Command('soak')
  .description('Simulates the whole daemon with faults, a seed at a time, and judges it by the rules.')
  .option('--seeds <n>', 'how many seeds', number, 20)
  .option('--hours <h>', 'simulated hours of each', number, 24)
  .option('--first-seed <n>', 'the first one', number, 1)
  .option('--workers <n>', 'processes', number, availableParallelism())
  .option('--faults <list>', 'only these faults of the seed, by number; none: an empty text', (text) =>
    text === '' ? [] : text.split(',').map(number),
  )
  .option('--planted <name>', `with a mistake put in on purpose: ${Object.keys(plantedBugs).join(', ')}`)
  .option('--journal <file>', 'write the journal of the (last) seed there, as lines of JSON')
  .option('--no-shrink', 'do not look for the fewest faults with which a seed fails');
const options: Options = program.parse().opts<Options>();

/** Set by a process while it runs a seed: told of what is thrown where nobody catches it. */
let onUncaught: (error: unknown) => void = () => {};

/** Rejects with what was thrown anywhere. */
async function run(
  seed: number,
  faults = options.faults,
  onEntry?: (entry: unknown) => void,
): Promise<SimulationResult> {
  const scenario = scenarioOf(seed, options.hours);
  const planted = options.planted === undefined ? undefined : plantedBugs[options.planted];
  if (options.planted !== undefined && !planted) throw new Error(`no such mistake: ${options.planted}`);
  const abort = new AbortController();
  onUncaught = (error) => abort.abort(error);
  return simulate({
    ...scenario,
    faults: scenario.faults?.filter((fault) => faults?.includes(fault.number) ?? true) ?? [],
    signal: abort.signal,
    ...planted?.(),
    ...(onEntry ? { onEntry } : {}),
  });
}

/** A seed in which something throws fails as well, and no other seed with it. */
async function verdictOf(seed: number): Promise<Verdict> {
  try {
    return await judge(seed);
  } catch (error) {
    const lines = [`seed ${seed}: IT THREW: ${error instanceof Error ? error.stack : String(error)}`];
    if (options.shrink) lines.push(...(await shrunk(seed, thrown)));
    else lines.push(again(seed, options.faults));
    return { seed, lines, violations: 1 };
  }
}

async function judge(seed: number): Promise<Verdict> {
  const file = options.journal === undefined ? undefined : createWriteStream(options.journal);
  const result = await run(
    seed,
    options.faults,
    file && ((entry) => file.write(`${JSON.stringify(entry)}\n`)),
  );
  file?.end();
  const { violations, containers, instances, daemons, journalHash, wallMs } = result;
  const story = `${containers.length} containers, ${instances.length} instances, ${daemons} daemon starts`;
  const seconds = (wallMs / 1_000).toFixed(1);
  const verdict = violations.length === 0 ? 'ok' : `${violations.length} VIOLATIONS`;
  const lines = [`seed ${seed}: ${verdict}, ${story}, journal ${journalHash}, ${seconds} s`];
  for (const { atMs, rule, subject, what } of violations.slice(0, 5)) {
    lines.push(`  ${(atMs / 3_600_000).toFixed(3)} h  ${rule}: ${subject}: ${what}`);
  }
  if (violations.length > 0 && options.shrink) lines.push(...(await shrunk(seed, violations[0]!.rule)));
  return { seed, lines, violations: violations.length };
}

/** The fewest faults with which the same rule is broken, and how to see it again. */
async function shrunk(seed: number, rule: string): Promise<string[]> {
  const all = (scenarioOf(seed, options.hours).faults ?? []).filter(
    (fault) => options.faults?.includes(fault.number) ?? true,
  );
  const fails = async (faults: typeof all): Promise<boolean> => {
    const numbers = faults.map((fault) => fault.number);
    const rules = await run(seed, numbers).then(
      ({ violations }) => violations.map((violation) => violation.rule),
      () => [thrown],
    );
    return rules.includes(rule);
  };
  const kept = await shrinkFaults(all, (faults) => fails([...faults]), mostTries);
  const numbers = kept.map((fault) => fault.number);
  return [
    ...kept.map(
      ({ number: each, kind, atMs }) => `  fault ${each}: ${kind} at ${(atMs / 3_600_000).toFixed(3)} h`,
    ),
    again(seed, numbers),
  ];
}

function again(seed: number, faults: readonly number[] | undefined): string {
  const planted = options.planted === undefined ? '' : ` --planted ${options.planted}`;
  const numbers = faults === undefined ? '' : ` --faults '${faults.join(',')}'`;
  return `  again: scripts/soak --first-seed ${seed} --seeds 1 --hours ${options.hours}${planted}${numbers}`;
}

/** Seeds are handed out one by one to processes of their own. */
async function inProcesses(tell: (verdict: Verdict) => void): Promise<void> {
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
        env: { ...process.env, LONGSHORE_SOAK_CHILD: '1' },
        // Most of what a run makes lives for a moment only.
        execArgv: [...process.execArgv, '--max-semi-space-size=64'],
      });
      const give = (): void => {
        if (next < options.seeds) child.send(options.firstSeed + next++);
        else child.disconnect();
      };
      child.on('message', (verdict: Verdict) => {
        tell(verdict);
        give();
      });
      child.on('error', reject);
      child.on('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`a process ended with ${code}`)),
      );
      give();
    });
  await Promise.all(Array.from({ length: Math.min(options.workers, options.seeds) }, one));
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const failing: number[] = [];
  let violations = 0;
  let judged = 0;
  await inProcesses((verdict) => {
    for (const line of verdict.lines) console.log(line);
    judged++;
    violations += verdict.violations;
    if (verdict.violations > 0) failing.push(verdict.seed);
  });
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  const which = failing.length === 0 ? '' : ` in seeds ${failing.sort((a, b) => a - b).join(', ')}`;
  console.log(
    `soak: ${judged} seeds of ${options.hours} h, ${violations} violations${which}, ${minutes} minutes of wall time`,
  );
  process.exitCode = violations === 0 && judged === options.seeds ? 0 : 1;
}

if (process.env['LONGSHORE_SOAK_CHILD'] === '1') {
  process.on('uncaughtException', (error) => onUncaught(error));
  // Also when the script that hands out the seeds was killed.
  process.on('disconnect', () => process.exit(0));
  process.on('message', (seed: number) => void verdictOf(seed).then((verdict) => process.send!(verdict)));
} else {
  await main();
}
