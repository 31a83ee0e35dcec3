import type { EventObject } from 'xstate';
import type { StepFacts } from '../actors/observed.js';
import type { WorkerSnapshot } from '../actors/roster.js';
import { secretFingerprint } from '../domain/ids.js';
import type { WorkerContext, WorkerInput } from '../machines/worker-model.js';

/** The part of a worker's context that changes in its life. */
export type WorkerFacts = Omit<WorkerContext, 'clock' | 'settings' | keyof FixedFacts>;
type FixedFacts = Pick<WorkerInput, 'instanceType' | 'typeIsConfigured' | 'expected' | 'recorded'>;

/** What a worker was begun with, as plain data: with it, any of its steps can be made again. */
export type WorkerBase = FixedFacts & Pick<WorkerInput, 'settings' | 'instance'>;

/** One step of a worker, enough to make it again. Plain JSON; `null` stands for `undefined`. */
export interface StepRecord {
  event: EventObject;
  /** Where it was, and all facts that were not as in a new worker. */
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
    runners: {},
    staleSince: {},
    tagsInFlight: undefined,
    lastContainerUuid: '',
    served: 0,
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

function isSameState(a: unknown, b: unknown): boolean {
  if (a === b || typeof a === 'string' || typeof b === 'string') return a === b;
  const [[key, inner] = []] = Object.entries(a as object);
  const [[other, otherInner] = []] = Object.entries(b as object);
  return key === other && inner === otherInner;
}

/** The step as it is kept. Texts longer than 500 characters are cut. */
export function recordStep(
  event: EventObject,
  before: WorkerSnapshot,
  after: WorkerSnapshot,
  step: StepFacts,
  skipped: number,
): StepRecord {
  const started: Record<string, unknown> = {};
  const changed: Record<string, unknown> = {};
  for (const key of factKeys) {
    const old = before.context[key];
    const now = after.context[key];
    if (!(key in untold) || old !== untold[key as keyof typeof untold]) started[key] = old ?? null;
    if (old !== now) changed[key] = now ?? null;
  }
  const value: Record<string, unknown> = {};
  for (const [region, state] of Object.entries(after.value)) {
    if (!isSameState(before.value[region as 'probe'], state)) value[region] = state;
  }
  return {
    event: plain(event),
    before: { value: before.value, context: plain(started) },
    after: { value, context: plain(changed) },
    guards: step.guards(),
    skipped,
  };
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

/** As JSON keeps it: errors as their message, long texts cut, instance secrets as their fingerprint. */
export function plain<T>(value: T): T {
  if (typeof value === 'string')
    return (value.length > longestText ? `${value.slice(0, longestText)}…` : value) as T;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return { message: plain(value.message) } as T;
  if (Array.isArray(value)) return value.map(plain) as T;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      isBareSecret(key, inner) ? secretFingerprint(inner) : plain(inner),
    ]),
  ) as T;
}

/** Dispatchers before this one put the secret itself into the tag. */
function isBareSecret(key: string, value: unknown): value is string {
  return key.endsWith('InstanceSecret') && typeof value === 'string' && !value.startsWith('sha256:');
}
