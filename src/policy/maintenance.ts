import { formatDuration } from '../domain/duration.js';
import type { Quarantine } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { InstanceView } from '../domain/instance-view.js';

export interface UpkeepSettings {
  timeoutIdleMs: number;
  /** Of one type at most one instance in this time is given back for idling; 0: no such pace. */
  coolDownMs: number;
  /** Older ones are drained; 0: any age will do. */
  maxInstanceAgeMs: number;
  /** After so many containers an instance is drained; 0: no limit. */
  maxContainersPerInstance: number;
  /** A quarantined instance whose containers do not end is destroyed after this time. */
  quarantineGraceMs: number;
}

export interface UpkeepInput {
  now: number;
  instances: readonly InstanceView[];
  /** Without a container, real or planned; creations under way included. */
  unused: readonly InstanceView[];
  /** Idle instances wanted, by type name. */
  wanted: ReadonlyMap<string, number>;
  /** How many instances may be asked for beside those that containers need. */
  creatable: number;
  isAvailable(type: InstanceType): boolean;
  typeNamed(name: string): InstanceType | undefined;
  /** The quarantine for what the instance did. */
  quarantineOf(instanceId: string): Quarantine | undefined;
  settings: UpkeepSettings;
  memory: UpkeepMemory;
}

/** What one round hands to the next. */
export interface UpkeepMemory {
  /** Idle at the last round: type name by instance. */
  idle: ReadonlyMap<string, string>;
  /** When an instance of the type was last given back for idling, epoch ms. */
  givenBackAt: ReadonlyMap<string, number>;
}

export type UpkeepAction =
  /** Its time of idling begins anew. */
  | { kind: 'keep'; instanceId: string }
  | { kind: 'retire'; instanceId: string; because: string }
  | { kind: 'destroy'; instanceId: string; because: string }
  | { kind: 'create'; instanceType: InstanceType; because: string };

export const noUpkeepMemory: UpkeepMemory = { idle: new Map(), givenBackAt: new Map() };

/** Up to this share of the greatest age is taken off by the instance's name, so that a fleet born together does not go together. */
const ageSpread = 0.1;

/**
 * What the fleet needs beside the containers: instances that stand ready, that are not given back all at once, and
 * that go when they are old or worn. Pure: the same world always gives the same orders.
 */
export function upkeep(input: UpkeepInput): { actions: UpkeepAction[]; memory: UpkeepMemory } {
  const memory = nextMemory(input);
  const retired = [...overdueQuarantines(input), ...retirements(input)];
  const leaving = new Set(retired.map((action) => ('instanceId' in action ? action.instanceId : '')));
  const ready = input.unused.filter(
    ({ idleBehavior, instanceId }) => idleBehavior === 'run' && !leaving.has(instanceId),
  );
  const actions = [...retired, ...keeps(input, ready, memory), ...creations(input, ready)];
  return { actions, memory };
}

/** One on hold is kept for inspection, and an idle one goes by itself. */
function overdueQuarantines({ now, instances, quarantineOf, settings }: UpkeepInput): UpkeepAction[] {
  const { quarantineGraceMs } = settings;
  const actions: UpkeepAction[] = [];
  for (const { instanceId, workerState, idleBehavior } of instances) {
    if (workerState !== 'running' || idleBehavior !== 'drain') continue;
    const { at = Infinity } = quarantineOf(instanceId) ?? {};
    if (now - at < quarantineGraceMs) continue;
    const because = `its containers did not end within ${formatDuration(quarantineGraceMs)} of its quarantine`;
    actions.push({ kind: 'destroy', instanceId, because });
  }
  return actions;
}

function retirements({ now, instances, settings }: UpkeepInput): UpkeepAction[] {
  const { maxInstanceAgeMs, maxContainersPerInstance } = settings;
  const actions: UpkeepAction[] = [];
  for (const view of instances) {
    const { instanceId, workerState, idleBehavior, appearedAt, createdAt = appearedAt, served } = view;
    if ((workerState !== 'idle' && workerState !== 'running') || idleBehavior !== 'run') continue;
    const isOld = maxInstanceAgeMs > 0 && now - createdAt >= ageLimit(instanceId, maxInstanceAgeMs);
    const isWorn = maxContainersPerInstance > 0 && served >= maxContainersPerInstance;
    if (!isOld && !isWorn) continue;
    const because = isOld
      ? `it is ${formatDuration(now - createdAt)} old, and none may be older than ${formatDuration(maxInstanceAgeMs)}`
      : `it has had ${served} containers, and none may have more`;
    actions.push({ kind: 'retire', instanceId, because });
  }
  return actions;
}

function ageLimit(instanceId: string, maxAgeMs: number): number {
  let hash = 0;
  for (const character of instanceId) hash = (hash * 31 + character.charCodeAt(0)) % 1_000;
  return maxAgeMs * (1 - (ageSpread * hash) / 1_000);
}

/** The lately busy are kept, so that always the same ones go. */
function keeps(input: UpkeepInput, ready: readonly InstanceView[], memory: UpkeepMemory): UpkeepAction[] {
  const { now, wanted, settings } = input;
  const { timeoutIdleMs, coolDownMs } = settings;
  const actions: UpkeepAction[] = [];
  for (const [name, views] of byType(ready.filter(({ workerState }) => workerState === 'idle'))) {
    views.sort((a, b) => b.lastBusyAt - a.lastBusyAt || (a.instanceId < b.instanceId ? -1 : 1));
    const wish = wanted.get(name) ?? 0;
    const isCooling = coolDownMs > 0 && now - (memory.givenBackAt.get(name) ?? -Infinity) < coolDownMs;
    const kept = coolDownMs === 0 ? wish : Math.max(wish, views.length - (isCooling ? 0 : 1));
    for (const { instanceId, lastBusyAt } of views.slice(0, kept)) {
      if (now - lastBusyAt >= timeoutIdleMs / 3) actions.push({ kind: 'keep', instanceId });
    }
  }
  return actions;
}

function creations(input: UpkeepInput, ready: readonly InstanceView[]): UpkeepAction[] {
  const { wanted, isAvailable, typeNamed } = input;
  const present = byType(ready);
  const actions: UpkeepAction[] = [];
  let { creatable } = input;
  for (const [name, idle] of wanted) {
    const instanceType = typeNamed(name);
    if (!instanceType || !isAvailable(instanceType)) continue;
    const because = `${idle} idle instances of type ${name} are to stand ready`;
    for (let have = present.get(name)?.length ?? 0; have < idle && creatable >= 1; have++, creatable--) {
      actions.push({ kind: 'create', instanceType, because });
    }
  }
  return actions;
}

function byType(views: readonly InstanceView[]): Map<string, InstanceView[]> {
  const groups = new Map<string, InstanceView[]>();
  for (const view of views) {
    const { name } = view.instanceType;
    const group = groups.get(name);
    if (group) group.push(view);
    else groups.set(name, [view]);
  }
  return groups;
}

function nextMemory({ now, instances, settings, memory }: UpkeepInput): UpkeepMemory {
  if (settings.coolDownMs === 0) return noUpkeepMemory;
  const idle = new Map<string, string>();
  const staying = new Set<string>();
  for (const { instanceId, workerState, instanceType } of instances) {
    if (workerState !== 'shutdown') staying.add(instanceId);
    if (workerState === 'idle') idle.set(instanceId, instanceType.name);
  }
  const givenBackAt = new Map(memory.givenBackAt);
  for (const [instanceId, name] of memory.idle) if (!staying.has(instanceId)) givenBackAt.set(name, now);
  return { idle, givenBackAt };
}
