import { isDeepStrictEqual } from 'node:util';
import { createActor, type AnyActorRef, type AnyTransitionDefinition, type EventObject } from 'xstate';
import { activePaths } from '../../machines/inspection/active-states.js';
import { GuardTrace, tracedGuards } from '../../machines/inspection/guard-trace.js';
import type { Clock } from '../../domain/clock.js';
import type { JournalEntry } from '../journal.js';
import { workerMachine, type WorkerSnapshot } from '../../machines/worker.js';
import { runnerMachine } from '../../machines/runner.js';
import type { WorkerContext } from '../../machines/worker-model.js';
import { WholeRecords } from './whole-record.js';
import { factsBefore, factsChanged, plain, type StepRecord, type WorkerBase } from './step-record.js';

/** One recorded step, made again with the real machine. */
export interface ReplayedStep {
  /** Epoch ms. */
  at: number;
  event: EventObject;
  /** Paths of the active states, as in the chart of a live instance. */
  before: readonly string[];
  after: readonly string[];
  /** By region of the chart, the innermost state it was in and came to be in; the same one when it stayed. */
  moves: readonly Move[];
  /** What was known after the step, as recorded, as far as it was not the same after the step before; `null`: not any more. */
  facts: Readonly<Record<string, unknown>>;
  /** As recorded: true when the guard held at least once in the step. */
  guards: Readonly<Record<string, boolean>>;
  /** Names in the order they were carried out, when made again. */
  actions: readonly string[];
  /** Uneventful steps between the last shown one and this one. */
  skipped: number;
  matches: boolean;
  /** Where the outcome differs from the recorded one; empty when it does not. */
  differences: readonly Difference[];
}

export interface Move {
  region: string;
  from: string;
  to: string;
}

export interface Difference {
  /** Such as `state.lifecycle`, `context.runners` or `guards.isHeld`. */
  what: string;
  recorded: unknown;
  replayed: unknown;
}

export interface Replay {
  instance: string;
  steps: ReplayedStep[];
}

/**
 * Makes the recorded steps of one worker again, each from the state it was recorded in, and says where the outcome
 * differs. Nothing is carried out: no command, no call. Entries are `worker.begun` and `worker.step` of one instance,
 * oldest first; `base` serves for steps whose `worker.begun` is not among them. Steps before the first whole record are
 * left out. Throws {@link ReplayError} when it is not known what the worker was begun with.
 */
export function replay(instance: string, entries: readonly JournalEntry[], base?: WorkerBase): Replay {
  const steps: ReplayedStep[] = [];
  let known = base ?? firstBase(entries);
  let told: Record<string, unknown> = {};
  const records = new WholeRecords();
  for (const entry of entries) {
    if (entry.instance !== instance) continue;
    if (entry.kind === 'worker.begun') known = entry.data as unknown as WorkerBase;
    if (entry.kind !== 'worker.step') continue;
    if (!known) throw new ReplayError(`the journal does not say what ${instance} was begun with`);
    const record = records.next(entry.data as unknown as StepRecord);
    if (!record) continue;
    const facts = { ...record.before.context, ...record.after.context };
    steps.push({ ...replayStep(entry.at, record, known), facts: newsOf(facts, told) });
    told = facts;
  }
  return { instance, steps };
}

function newsOf(facts: Record<string, unknown>, told: Record<string, unknown>): Record<string, unknown> {
  const forgotten = Object.keys(told).filter((key) => !(key in facts) && told[key] !== null);
  const news = Object.entries(facts).filter(([key, value]) => !isDeepStrictEqual(value, told[key]));
  return Object.fromEntries([...news, ...forgotten.map((key) => [key, null] as const)]);
}

/** A story that cannot be made again. */
export class ReplayError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReplayError';
  }
}

function firstBase(entries: readonly JournalEntry[]): WorkerBase | undefined {
  return entries.find(({ kind }) => kind === 'worker.begun')?.data as unknown as WorkerBase | undefined;
}

function replayStep(at: number, record: StepRecord, base: WorkerBase): Omit<ReplayedStep, 'facts'> {
  const { after, guards, actions } = makeStep(at, record, base);
  const differences = differencesOf(record, after, guards);
  const pathsBefore = activePaths(record.before.value as WorkerSnapshot['value']);
  const pathsAfter = activePaths({ ...(record.before.value as object), ...(record.after.value as object) });
  return {
    at,
    event: record.event,
    before: pathsBefore,
    after: pathsAfter,
    moves: movesBetween(pathsBefore, pathsAfter),
    guards: record.guards,
    actions,
    skipped: record.skipped,
    matches: differences.length === 0,
    differences,
  };
}

function movesBetween(before: readonly string[], after: readonly string[]): Move[] {
  const [from, to] = [innermost(before), innermost(after)];
  return [...new Set([...from.keys(), ...to.keys()])].map((region) => ({
    region,
    from: from.get(region) ?? '-',
    to: to.get(region) ?? '-',
  }));
}

/** By region, the path of the innermost active state in it. */
function innermost(paths: readonly string[]): Map<string, string> {
  const states = new Map<string, string>();
  for (const path of paths) {
    const [region = '', ...inner] = path.split('.');
    if (inner.length > 0) states.set(region, inner.join('.'));
  }
  return states;
}

interface MadeStep {
  after: WorkerSnapshot;
  guards: Record<string, boolean>;
  actions: string[];
}

/** The real machine's own step, with a scope in which nothing that leaves it is carried out. */
function makeStep(at: number, record: StepRecord, base: WorkerBase): MadeStep {
  const clock: Clock = { now: () => at, setTimeout: () => undefined, clearTimeout: () => {} };
  const trace = new GuardTrace();
  const machine = workerMachine.provide({ guards: tracedGuards(workerMachine, trace) });
  const context = { ...base, ...factsBefore(record), clock } as WorkerContext;
  const resolved = machine.resolveState({ value: record.before.value as never, context });
  const actions: string[] = [];
  const actor = createActor(machine, {
    clock,
    input: { ...base, clock },
    inspect: (event) => {
      if (event.type === '@xstate.microstep') actions.push(...namesOf(event._transitions));
    },
  });
  const children = childrenOf(actor, context, base);
  const snapshot = Object.assign(Object.create(Object.getPrototypeOf(resolved) as object), resolved, {
    children,
  }) as WorkerSnapshot;
  const self = Object.create(actor, { getSnapshot: { value: () => snapshot } }) as typeof actor;
  const scope = {
    self,
    id: '',
    sessionId: '',
    system: actor.system,
    logger: () => {},
    defer: () => {},
    stopChild: () => {},
    emit: () => {},
    actionExecutor: () => {},
  };
  const begun = trace.begin();
  const after = machine.transition(snapshot, record.event as never, scope as never);
  return { after, guards: trace.since(begun), actions };
}

/** Stand-ins for the actors of the containers, so that what is told to them has a receiver. */
function childrenOf(
  parent: AnyActorRef,
  context: WorkerContext,
  base: WorkerBase,
): Record<string, AnyActorRef> {
  const { collects, runnerTimings: timings } = base.settings;
  return Object.fromEntries(
    Object.keys(context.runners).map((uuid) => {
      const input = { instanceId: base.instance.id, uuid, origin: 'listed' as const, collects, timings };
      return [uuid, createActor(runnerMachine, { id: uuid, parent: parent as never, input })];
    }),
  );
}

/** Actions of the transitions taken and of the states entered by them, by name. */
function namesOf(transitions: readonly AnyTransitionDefinition[]): string[] {
  return transitions.flatMap(({ actions, target }) => [
    ...actions.map(nameOfAction),
    ...(target ?? []).flatMap((state) => state.entry.map(nameOfAction)),
  ]);
}

function nameOfAction(action: unknown): string {
  return typeof action === 'string' ? action : ((action as { type?: string }).type ?? 'unnamed');
}

function differencesOf(
  record: StepRecord,
  after: WorkerSnapshot,
  guards: Record<string, boolean>,
): Difference[] {
  const differences: Difference[] = [];
  const compare = (what: string, recorded: unknown, replayed: unknown): void => {
    if (!isDeepStrictEqual(asJson(recorded), asJson(replayed)))
      differences.push({ what, recorded, replayed });
  };
  const value = { ...(record.before.value as object), ...(record.after.value as object) };
  for (const [region, state] of Object.entries(value)) {
    compare(`state.${region}`, state, after.value[region as keyof typeof after.value]);
  }
  const changed = { ...factsBefore(record), ...factsChanged(record) };
  for (const key of Object.keys(changed) as (keyof typeof changed)[]) {
    compare(`context.${key}`, changed[key], after.context[key]);
  }
  for (const [name, held] of Object.entries(record.guards)) compare(`guards.${name}`, held, guards[name]);
  return differences;
}

/** As JSON would bring it back: what is undefined is not there. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(plain(value)));
}
