import type { EventObject } from 'xstate';
import { isSecretFingerprint, secretFingerprint } from '../../domain/ids.js';
import { isSameState } from '../../domain/state-value.js';
import type { WorkerContext, WorkerInput } from '../../machines/worker-model.js';
import type { WorkerSnapshot } from '../../machines/worker.js';

/** The part of a worker's context that changes in its life. */
export type WorkerFacts = Omit<WorkerContext, 'clock' | 'settings' | keyof FixedFacts>;
type FixedFacts = Pick<WorkerInput, 'instanceType' | 'typeIsConfigured' | 'expected' | 'recorded'>;

/** What a worker was begun with, as plain data: with it, any of its steps can be made again. */
export type WorkerBase = FixedFacts & Pick<WorkerInput, 'settings' | 'instance'>;

/** One step of a worker, enough to make it again. Plain JSON; `null` stands for `undefined`. */
export interface StepRecord {
  event: EventObject;
  /**
   * 0, or not given: this record is whole. Else it goes on from the record of the same worker before it, and is the so
   * many-th since a whole one.
   */
  follows?: number;
  /**
   * Where it was, and all facts that were not as in a new worker. Of one that follows: the states and the facts that were
   * not as the record before it left them.
   */
  before: { value: unknown; context: Record<string, unknown> };
  /** Where it came out, and the facts that changed. */
  after: { value: unknown; context: Record<string, unknown> };
  guards: Record<string, boolean>;
  /** Steps since the last recorded one that changed nothing worth keeping: probes that found all as it was. */
  skipped: number;
}

const untold: Omit<WorkerFacts, 'instance' | 'appearedAt' | 'probedAt' | 'busyAt' | 'bootStageAt' | 'round'> =
  {
    revision: 0,
    bootStage: 'requested',
    verifiedAt: undefined,
    shutdownAt: undefined,
    shutdownBecause: '',
    idleBehavior: 'run',
    behaviorBecause: 'default',
    lastFailure: undefined,
    answered: false,
    destroyConfirmed: false,
    bootId: '',
    setupLostBecause: '',
    runners: {},
    staleSince: {},
    tagsInFlight: undefined,
    lastContainerUuid: '',
    served: 0,
    failedStarts: 0,
    bootOutcome: undefined,
  };
const factKeys = [
  ...(Object.keys(untold) as (keyof WorkerFacts)[]),
  ...(['instance', 'appearedAt', 'probedAt', 'busyAt', 'bootStageAt', 'round'] as const),
];
const longestText = 500;

/** True for a step that is worth keeping: probe rounds that found everything as it was are not. */
export function isWorthKeeping(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): boolean {
  const old = before.context;
  const now = after.context;
  return (
    old.runners !== now.runners ||
    old.instance !== now.instance ||
    old.idleBehavior !== now.idleBehavior ||
    old.bootOutcome !== now.bootOutcome ||
    old.shutdownAt !== now.shutdownAt ||
    old.destroyConfirmed !== now.destroyConfirmed ||
    old.lastFailure?.code !== now.lastFailure?.code ||
    before.value.watch !== after.value.watch ||
    before.value.tags !== after.value.tags ||
    !isSameState(before.value.lifecycle, after.value.lifecycle) ||
    /^(operator|container)\.|^scheduler\.shutdown$/.test(event.type)
  );
}

/** Where a record left a worker. */
export interface RecordedState {
  value: WorkerSnapshot['value'];
  context: WorkerFacts;
}

/** A copy: a simulation changes the facts of a worker in their place, where it passes over visits. */
export function stateOf({ value, context }: WorkerSnapshot): RecordedState {
  const facts = {} as Record<keyof WorkerFacts, unknown>;
  for (const key of factKeys) facts[key] = context[key];
  return { value, context: facts as WorkerFacts };
}

/** The step as it is kept: whole, or as what is new since `last`. Texts longer than 500 characters are cut. */
export function recordStep(
  event: EventObject,
  before: WorkerSnapshot,
  after: WorkerSnapshot,
  last: RecordedState | undefined,
): Pick<StepRecord, 'event' | 'before' | 'after'> {
  return {
    event: plain(event),
    before: {
      value: last ? statesChanged(last, before) : before.value,
      context: factsUnlike(last?.context ?? untold, before.context),
    },
    after: { value: statesChanged(before, after), context: factsUnlike(before.context, after.context) },
  };
}

function factsUnlike(known: Partial<WorkerFacts>, now: WorkerFacts): Record<string, unknown> {
  const facts: Record<string, unknown> = {};
  if (known === now) return facts;
  for (const key of factKeys) {
    const fact = now[key];
    if (isSameFact(fact, known[key])) continue;
    if (isCollection(key) && hasMembers(known[key]))
      facts[`${key}Changed`] = membersUnlike(known[key], now[key]);
    else facts[key] = plain(fact ?? null);
  }
  return facts;
}

/** Facts with a member for each container. What becomes of one is not a reason to write down all. */
export const collectionKeys = ['runners', 'staleSince'] as const;
type Members = Readonly<Record<string, unknown>>;

const isCollection = (key: string): key is (typeof collectionKeys)[number] =>
  (collectionKeys as readonly string[]).includes(key);

const hasMembers = (members: Members | undefined): members is Members =>
  members !== undefined && Object.keys(members).length > 0;

/** Members that are new or another now; `null`: not any more. */
function membersUnlike(known: Members, now: Members): Members {
  const gone = Object.keys(known).filter((key) => !(key in now));
  const news = Object.entries(now).filter(([key, member]) => known[key] !== member);
  return Object.fromEntries([
    ...gone.map((key) => [key, null] as const),
    ...news.map(([key, member]) => [key, plain(member)] as const),
  ]);
}

/** The facts with whole collections in place of what became of their members since `known`. */
export function withWholeCollections(
  facts: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const whole = { ...facts };
  for (const key of collectionKeys) {
    const changed = whole[`${key}Changed`] as Members | undefined;
    if (changed === undefined) continue;
    delete whole[`${key}Changed`];
    const members = { ...(known[key] as Members | undefined), ...changed };
    whole[key] = Object.fromEntries(Object.entries(members).filter(([, member]) => member !== null));
  }
  return whole;
}

/** Also for one that was made anew of the same parts. */
function isSameFact(a: unknown, b: unknown): boolean {
  if (a === b || typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const entries = Object.entries(a);
  if (entries.length !== Object.keys(b).length) return false;
  return entries.every(([key, part]) => (b as Record<string, unknown>)[key] === part);
}

function statesChanged(
  from: Pick<RecordedState, 'value'>,
  to: Pick<RecordedState, 'value'>,
): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const region of Object.keys(to.value) as (keyof WorkerSnapshot['value'])[]) {
    if (!isSameState(from.value[region], to.value[region])) value[region] = to.value[region];
  }
  return value;
}

/** What a worker began with, and where its first states took it. */
export function recordBase({ context }: WorkerSnapshot): WorkerBase {
  const { settings, instance, instanceType, typeIsConfigured, expected, recorded } = context;
  return { settings, instance: plain(instance), instanceType, typeIsConfigured, expected, recorded };
}

/** The facts a record begins with. */
export function factsBefore(record: StepRecord): WorkerFacts {
  return { ...untold, ...withoutNulls(record.before.context) } as WorkerFacts;
}

/** The facts a record ends with, as far as they changed. */
export function factsChanged(record: StepRecord): Partial<WorkerFacts> {
  return withoutNulls(record.after.context);
}

function withoutNulls(context: Record<string, unknown>): Partial<WorkerFacts> {
  return Object.fromEntries(Object.entries(context).map(([key, value]) => [key, value ?? undefined]));
}

/**
 * As JSON keeps it: errors as their message, long texts cut, instance secrets as their fingerprint. What is so already is
 * returned itself.
 */
export function plain<T>(value: T): T {
  if (typeof value === 'string')
    return (value.length > longestText ? `${value.slice(0, longestText)}…` : value) as T;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return { message: plain(value.message) } as T;
  if (Array.isArray(value)) return value.map(plain) as T;
  let copy: Record<string, unknown> | undefined;
  for (const [key, inner] of Object.entries(value)) {
    const kept: unknown = isBareSecret(key, inner) ? secretFingerprint(inner) : plain(inner as unknown);
    if (kept !== inner) (copy ??= { ...value } as Record<string, unknown>)[key] = kept;
  }
  return (copy ?? value) as T;
}

/** Dispatchers before this one put the secret itself into the tag, and so does `plainSecretTag`. */
function isBareSecret(key: string, value: unknown): value is string {
  return key.endsWith('InstanceSecret') && typeof value === 'string' && !isSecretFingerprint(value);
}
