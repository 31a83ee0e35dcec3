import type { Scenario } from '../exploring/world.js';
import { quickScenarios } from './quick.js';
import type { WorkerOptions } from './settings.js';

const usual: WorkerOptions = {
  expected: true,
  hasAddress: false,
  behaviorTag: 'run',
  typeIsConfigured: true,
  collects: true,
};
const found: WorkerOptions = { ...usual, expected: false, hasAddress: true };

const inService = ['listed address', 'due', 'boot ok', 'copy ok', 'run nothing', 'watch unknown'];
const watched = inService.slice(0, -1);
const others: WorkerOptions = { ...found, recorded: false };
const overdue = ['pass 101000', 'due', 'boot fail', 'copy ok', 'run fail'];
const adopted = ['due', 'boot fail', 'copy ok', 'run c1'];

const silentSince = [...adopted, 'pass 101000', 'due', 'boot fail', 'copy ok', 'run fail'];

/** How to get to each place worth looking around in. */
const places: Readonly<Record<string, { options?: WorkerOptions; prefix: readonly string[] }>> = {
  requested: { prefix: [] },
  addressed: { prefix: ['listed address'] },
  connected: { prefix: ['listed address', 'established'] },
  verified: { prefix: ['listed address', 'established', 'verified'] },
  booted: { prefix: ['listed address', 'established', 'verified', 'due', 'boot ok'] },
  copied: { prefix: ['listed address', 'established', 'verified', 'due', 'boot ok', 'copy ok'] },
  'copied, resting': {
    prefix: ['listed address', 'established', 'verified', 'due', 'boot ok', 'copy ok', 'run fail'],
  },
  'requested, visited': { prefix: ['due'] },
  'addressed, visited': { prefix: ['listed address', 'due'] },
  'connected, visited': { prefix: ['listed address', 'established', 'due'] },
  'verified, visited': { prefix: ['listed address', 'established', 'verified', 'due'] },
  unknown: { options: found, prefix: [] },
  'unknown, visited': { options: found, prefix: ['due'] },
  'unknown, running something': { options: found, prefix: adopted },
  'unknown, visited again': { options: found, prefix: [...adopted, 'due'] },
  'unknown, visited again, boot failed': { options: found, prefix: [...adopted, 'due', 'boot fail'] },
  'unknown, killing, visited': { options: found, prefix: [...adopted, 'kill c1', 'due'] },
  'unknown, killing, copying': { options: found, prefix: [...adopted, 'kill c1', 'due', 'boot fail'] },
  'unknown, with a result': {
    options: found,
    prefix: [...adopted, 'due', 'boot fail', 'copy ok', 'run c1:ended'],
  },
  'unknown, with a result, visited': {
    options: found,
    prefix: [...adopted, 'due', 'boot fail', 'copy ok', 'run c1:ended', 'due'],
  },
  'unknown, with a result, copying': {
    options: found,
    prefix: [...adopted, 'due', 'boot fail', 'copy ok', 'run c1:ended', 'due', 'boot fail'],
  },
  'unknown, with a result, asking': {
    options: found,
    prefix: [...adopted, 'due', 'boot fail', 'copy ok', 'run c1:ended', 'due', 'boot fail', 'copy fail'],
  },
  'unknown, asking': { options: found, prefix: ['due', 'boot ok', 'copy ok'] },
  'unknown, overdue': { options: found, prefix: ['pass 101000', 'due', 'boot fail', 'copy ok'] },
  'unknown, overtaken': {
    options: found,
    prefix: [...adopted, 'due', 'boot fail', 'copy ok', 'kill c1'],
  },
  'addressed, overdue': { prefix: ['listed address', 'pass 32100', 'due'] },
  orphaned: { options: others, prefix: overdue },
  'orphaned, visited': { options: others, prefix: [...overdue, 'due'] },
  'orphaned, copying': { options: others, prefix: [...overdue, 'due', 'boot fail'] },
  'orphaned, asking': { options: others, prefix: [...overdue, 'due', 'boot ok', 'copy ok'] },
  'orphaned, asking after a failed boot': {
    options: others,
    prefix: [...overdue, 'due', 'boot fail', 'copy ok'],
  },
  'orphaned, running something': { options: others, prefix: silentSince },
  'orphaned, killing, asking': {
    options: others,
    prefix: [...silentSince, 'due', 'boot fail', 'copy ok', 'kill c1'],
  },
  'orphaned, with a result': { options: others, prefix: [...silentSince, 'kill c1', 'term c1 ok'] },
  'orphaned, killing': {
    options: others,
    prefix: [...silentSince, 'kill c1'],
  },
  'orphaned, to be removed': { options: { ...others, removesOrphans: true }, prefix: overdue },
  'unrecorded, overdue': { options: others, prefix: overdue.slice(0, -1) },
  'held past the boot timeout, unrecorded': {
    options: others,
    prefix: ['operator hold', 'tags ok', 'pass 101000'],
  },
  idle: { prefix: inService },
  'idle, lock stale': {
    prefix: [...inService, 'due', 'run c1:stale', 'pause 6000', 'due'],
  },
  'idle, overtaken': {
    options: { ...usual, collects: false },
    prefix: [...inService, 'assign c1', 'start c1 ok', 'due', 'kill c1', 'term c1 ok'],
  },
  'running, overtaken': { prefix: [...inService, 'assign c1', 'due', 'start c1 ok'] },
  'idle, visited': { prefix: [...inService, 'pause 6000', 'due'] },
  'idle, set up again': { prefix: [...inService, 'due', 'run gone', 'due'] },
  'starting, set up again': { prefix: [...inService, 'assign c1', 'due', 'run gone', 'due'] },
  'starting, set up again, copying': {
    prefix: [...inService, 'assign c1', 'due', 'run gone', 'due', 'boot ok'],
  },
  'running, set up again': {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'due', 'run gone', 'due'],
  },
  'running, set up again, copying': {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'due', 'run gone', 'due', 'boot ok'],
  },
  'idle, watched': { prefix: watched },
  'idle, watch broken': { prefix: [...watched, 'watch closed'] },
  starting: { prefix: [...inService, 'assign c1'] },
  'starting, watched': { prefix: [...watched, 'assign c1'] },
  'starting, killed': { prefix: [...inService, 'assign c1', 'kill c1'] },
  'starting, visited': { prefix: [...inService, 'assign c1', 'pause 6000', 'due'] },
  running: { prefix: [...inService, 'assign c1', 'start c1 ok'] },
  'running, watch broken': { prefix: [...watched, 'assign c1', 'watch closed'] },
  'running, collecting, watch broken': {
    prefix: [...watched, 'watch ended c1', 'watch closed'],
  },
  'running, visited': { prefix: [...inService, 'assign c1', 'start c1 ok', 'pause 6000', 'due'] },
  'running two, visited': {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'assign c2', 'start c2 ok', 'due'],
  },
  'running two, one killed': {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'assign c2', 'start c2 ok', 'kill c1'],
  },
  killed: { prefix: [...inService, 'assign c1', 'start c1 ok', 'kill c1'] },
  'killed, no result': {
    options: { ...usual, collects: false },
    prefix: [...inService, 'assign c1', 'start c1 ok', 'kill c1'],
  },
  'killed, watch broken': {
    prefix: [...watched, 'assign c1', 'start c1 ok', 'kill c1', 'watch closed'],
  },
  unkillable: {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'operator hold', 'tags ok', 'kill c1', 'pass 30010'],
  },
  collecting: { prefix: [...watched, 'watch ended c1'] },
  'collecting, visited': { prefix: [...watched, 'watch ended c1', 'due'] },
  destroying: { prefix: [...inService, 'operator kill'] },
  leaving: { prefix: [...inService, 'operator kill', 'destroy fail'] },
  'destroying, with containers': {
    prefix: [...watched, 'assign c1', 'watch ended c2', 'operator kill'],
  },
  'leaving, with containers': {
    prefix: [...watched, 'assign c1', 'watch ended c2', 'operator kill', 'destroy ok'],
  },
  'destroying, killing': {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'kill c1', 'operator kill'],
  },
  'leaving, killing': {
    prefix: [...inService, 'assign c1', 'start c1 ok', 'kill c1', 'operator kill', 'destroy fail'],
  },
  'destroying, with a result': {
    prefix: [...watched, 'watch ended c1', 'operator kill'],
  },
  'leaving, with a result': {
    prefix: [...watched, 'watch ended c1', 'operator kill', 'destroy ok'],
  },
  'tags, writing': { prefix: [...inService, 'assign c1', 'operator hold'] },
  'tags, pausing': { prefix: [...inService, 'assign c1', 'operator hold', 'tags fail'] },
  'tags, writing, with a result': { prefix: [...watched, 'watch ended c1', 'operator hold'] },
  'tags, pausing, with a result': { prefix: [...watched, 'watch ended c1', 'operator hold', 'tags fault'] },
  'held past the boot timeout': { options: found, prefix: ['operator hold', 'tags ok', 'pass 101000'] },
  'held past the idle timeout': { prefix: [...inService, 'operator hold', 'tags ok', 'pass 60000'] },
  'on hold from the beginning': { options: { ...found, behaviorTag: 'hold' }, prefix: [] },
  'draining from the beginning': { options: { ...found, behaviorTag: 'drain' }, prefix: [] },
  'of a type that is not configured any more': {
    options: { ...found, typeIsConfigured: false },
    prefix: [],
  },
};

/** Drained, a worker leaves these at once. */
const cannotDrain = /^(orphaned|requested|addressed|connected|verified|booted|copied|idle)/;

/** These are about the wish itself, or its tag is being written. */
const hasItsOwnWish = /^(tags|unkillable|held|on hold|draining|of a type)/;

function scenario(name: string, options: WorkerOptions, prefix: readonly string[]): Scenario<WorkerOptions> {
  return { name, options, prefix, steps: options.collects ? /./ : /^(?!watch ended|run .*ended)./ };
}

/** Every place, under every wish an operator can have, and missing in one list. */
export const workerScenarios: readonly Scenario<WorkerOptions>[] = Object.entries(places)
  .flatMap(([name, { options = usual, prefix }]) => {
    const plain = scenario(name, options, prefix);
    if (hasItsOwnWish.test(name)) return [plain];
    const wishes = cannotDrain.test(name) ? ['hold'] : ['hold', 'drain'];
    const wished = wishes.map((wish) =>
      scenario(`${name}, ${wish}`, options, [...prefix, `operator ${wish}`, 'tags ok']),
    );
    const isPlain = !name.includes(',');
    const missed = [plain, ...wished].map((each) => ({
      ...each,
      name: `${each.name}, missed`,
      prefix: [...(each.prefix ?? []), 'missing'],
      steps: /^(missing|listed$|pass)/,
    }));
    return [plain, ...wished, ...(isPlain ? missed : [])];
  })
  .map((each) => ({ ...each, isDeep: !quickScenarios.has(each.name) }));
