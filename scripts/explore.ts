import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { describeDifference } from '../test/model/exploring/drive.js';
import {
  examine,
  testMutants,
  type Examination,
  type MutationScore,
} from '../test/model/exploring/examine.js';
import { randomFrom } from '../test/model/exploring/walk.js';
import type { Subject } from '../test/model/exploring/world.js';
import { subjects } from '../test/model/subjects.js';

interface Options {
  machine?: string;
  seed: number;
  states?: number;
  walks: number;
  tail: number;
  mutants: boolean;
}

interface Result {
  found: Examination;
  score: MutationScore | undefined;
  seconds: number;
}

const leastScore = 95;
/** Enough for every mutant that can be noticed; the worker has a hundred scenarios and more. */
const statesPerScenario: Readonly<Record<string, number>> = { worker: 1 };
const usualStates = 150;

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('give a whole number, 0 or more');
  return value;
}

function knownMachine(text: string): string {
  const names = subjects.map(({ name }) => name);
  if (!names.includes(text))
    throw new InvalidArgumentError(`there is no such machine: use ${names.join(', ')}`);
  return text;
}

const program = new Command('scripts/explore')
  .description('Explores the machines and measures how much of a change in them the exploration notices.')
  .option('--machine <name>', 'only this one', knownMachine)
  .option('--seed <number>', 'of the random walks; a new one each time', count, Date.now() % 1_000_000)
  .option('--states <number>', 'situations looked around in, for each scenario', count)
  .option('--walks <number>', 'random walks in each scenario', count, 2)
  .option('--tail <number>', 'waits let end after each path', count, 4)
  .option('--no-mutants', 'leave the mutation check out')
  .parse();
const options = program.opts<Options>();

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
}

function explore(subject: Subject): Result {
  const begunAt = performance.now();
  progress(`${subject.name}: exploring`);
  const found = examine(subject, {
    statesPerScenario: options.states ?? statesPerScenario[subject.name] ?? usualStates,
    walksPerScenario: options.walks,
    walkLength: 60,
    tail: options.tail,
    random: randomFrom(options.seed),
  });
  const report = (done: number, all: number): void =>
    progress(`${subject.name}: mutant ${done + 1} of ${all}`);
  const isSound = found.differences.length === 0;
  const score = options.mutants && isSound ? testMutants(found, report) : undefined;
  progress('');
  return { found, score, seconds: (performance.now() - begunAt) / 1_000 };
}

const share = (part: number, whole: number): string =>
  whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;

function coverageTable(results: readonly Result[]): string {
  const table = new Table({
    head: [
      'machine',
      'states',
      'transitions',
      'pairs',
      'handled',
      'ignored',
      'cannot come',
      'reached',
      'situations',
      'steps',
      'paths',
      's',
    ],
    style: { head: [], border: [] },
  });
  for (const { found, seconds } of results) {
    const { states, transitions, pairs, unreached, situations, edges, tested, subject } = found;
    const fate = (...fates: string[]): number => pairs.filter((pair) => fates.includes(pair.fate)).length;
    const possible = pairs.length - fate('impossible');
    table.push([
      subject.name,
      `${states.all.length - states.missed.length}/${states.all.length}`,
      `${transitions.all.length - transitions.missed.length}/${transitions.all.length}`,
      pairs.length,
      fate('handled'),
      fate('ignored', 'listed'),
      fate('impossible'),
      `${possible - unreached.length}/${possible}`,
      situations,
      edges,
      tested.length,
      seconds.toFixed(1),
    ]);
  }
  return table.toString();
}

function mutationTable(results: readonly Result[]): string {
  const table = new Table({
    head: ['machine', 'mutants', 'noticed', 'score'],
    style: { head: [], border: [] },
  });
  for (const { found, score } of results) {
    if (!score) continue;
    const noticed = score.mutants - score.survivors.length;
    table.push([found.subject.name, score.mutants, noticed, share(noticed, score.mutants)]);
  }
  return table.toString();
}

/** What is wrong, one line each; empty when all is well. */
function faultsOf({ found, score }: Result): string[] {
  const { subject, states, transitions, pairs, unreached, staleRules } = found;
  const named = (what: string, items: readonly string[]): string[] =>
    items.map((each) => `${subject.name}: ${what}: ${each}`);
  const pairNames = (list: Examination['pairs']): string[] =>
    list.map(({ state, event, circumstance }) => `${state} × ${event} ${circumstance}`.trim());
  return [
    ...named('state not entered', states.missed),
    ...named('transition not taken', transitions.missed),
    ...named('undecided', pairNames(pairs.filter(({ fate }) => fate === 'undecided'))),
    ...named('not reached', pairNames(unreached)),
    ...named('rule that nothing needs', staleRules),
    ...(score && 100 * (score.mutants - score.survivors.length) < leastScore * score.mutants
      ? [`${subject.name}: the mutation score is below ${leastScore} %`]
      : []),
  ];
}

function showIgnored(results: readonly Result[]): void {
  if (results.some(({ found }) => found.subject.pairRules.ignored.length > 0))
    console.log('\nWhat the charts are silent about, on purpose:');
  for (const { found } of results) {
    const { pairRules, name } = found.subject;
    for (const { states, events, because } of pairRules.ignored)
      console.log(`  ${name}: ${states.source} × ${events.source}: ${because}`);
  }
}

const chosen = subjects.filter(({ name }) => options.machine === undefined || name === options.machine);
console.log(`seed ${options.seed}`);
const results = chosen.map(explore);
console.log(coverageTable(results));
if (options.mutants) console.log(mutationTable(results));
const survivors = results.flatMap(({ score }) => score?.survivors ?? []);
if (survivors.length > 0)
  console.log(`\nMutants that changed nothing that leaves the machine:\n  ${survivors.join('\n  ')}`);
showIgnored(results);
const differences = results.flatMap(({ found }) => found.differences);
for (const difference of differences.slice(0, 10)) console.log(`\n${describeDifference(difference)}`);
const faults = results.flatMap(faultsOf);
if (faults.length > 0) console.log(`\n${faults.join('\n')}`);

const sum = (of: (result: Result) => number): number =>
  results.reduce((total, result) => total + of(result), 0);
const transitions = sum(({ found }) => found.transitions.all.length);
const mutants = sum(({ score }) => score?.mutants ?? 0);
const pairs = sum(({ found }) => found.pairs.length);
const unsettled = sum(
  ({ found }) => found.unreached.length + found.pairs.filter(({ fate }) => fate === 'undecided').length,
);
const isGood = differences.length === 0 && faults.length === 0;
console.log(
  [
    `\n${isGood ? 'ok' : 'FAILED'}: ${results.length} machines`,
    `${transitions - sum(({ found }) => found.transitions.missed.length)} of ${transitions} transitions`,
    `${pairs - unsettled} of ${pairs} pairs decided and reached`,
    `${sum(({ found }) => found.tested.length)} paths with ${differences.length} differences`,
    ...(options.mutants
      ? [
          `${mutants - survivors.length} of ${mutants} mutants noticed (${share(mutants - survivors.length, mutants)})`,
        ]
      : []),
  ].join(', '),
);
process.exitCode = isGood ? 0 : 1;
