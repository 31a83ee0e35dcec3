import { workerStates, type WorkerState } from '../domain/instance.js';
import { describeWait, type WaitReason } from '../policy/wait-reason.js';
import type { ApiDeps } from './deps.js';
import { heldGrowthOf } from './growth.js';
import { healthOf } from './health.js';
import { timeOf } from './wire.js';
import type { InstanceView } from '../domain/instance-view.js';

interface TypeSummary {
  type: string;
  price: number;
  total: number;
  states: Record<WorkerState, number>;
}

/** Summarises the fleet: instances by state and type, dollars per hour, wait reasons, breakers that are not closed. */
export async function fleetSummary(deps: ApiDeps): Promise<Record<string, unknown>> {
  const views = deps.pool.instances();
  const types = byType(views);
  const states = noneOf();
  for (const view of views) states[view.workerState]++;
  return {
    at: timeOf(deps.clock.now()),
    version: deps.version,
    instances: states,
    types,
    costPerHour: views.reduce((sum, { instanceType }) => sum + instanceType.price, 0),
    // When the store cannot be read, the rest is still returned, with the error first.
    containers: await deps.store.counts().catch(() => ({})),
    failed: (await deps.store.failed().catch(() => undefined)) ?? null,
    waits: waitsOf(deps),
    atQuota: deps.pool.atQuota(),
    breakers: deps.breakers.list().map((each) => ({ ...each, until: timeOf(each.until) })),
    health: healthOf(deps) ?? heldGrowthOf(deps) ?? 'OK',
  };
}

function byType(views: readonly InstanceView[]): TypeSummary[] {
  const types = new Map<string, TypeSummary>();
  for (const { instanceType, workerState } of views) {
    const { name, price } = instanceType;
    const summary = types.get(name) ?? { type: name, price, total: 0, states: noneOf() };
    summary.total++;
    summary.states[workerState]++;
    types.set(name, summary);
  }
  return [...types.values()].sort((a, b) => (a.type < b.type ? -1 : 1));
}

function noneOf(): Record<WorkerState, number> {
  return Object.fromEntries(workerStates.map((state) => [state, 0])) as Record<WorkerState, number>;
}

/** Counts waiting containers by wait reason, the most frequent first. */
function waitsOf(deps: ApiDeps): { code: WaitReason['code']; count: number; example: string }[] {
  const waits = new Map<WaitReason['code'], { count: number; example: string }>();
  for (const { wait } of deps.dispatcher.containers()) {
    if (!wait) continue;
    const known = waits.get(wait.code);
    if (known) known.count++;
    else waits.set(wait.code, { count: 1, example: describeWait(wait) });
  }
  return Array.from(waits, ([code, rest]) => ({ code, ...rest })).sort((a, b) => b.count - a.count);
}
