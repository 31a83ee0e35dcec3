import type { JournalEntry } from '../journal/journal.js';
import type { InstanceView } from '../domain/instance-view.js';

export interface CostSources {
  /** Journal entries `worker.appeared` and `worker.gone` since `sinceAt`. */
  appeared: readonly JournalEntry[];
  gone: readonly JournalEntry[];
  running: readonly InstanceView[];
  /** Epoch ms. */
  sinceAt: number;
  now: number;
}

/** The cost of instances by hour, in dollars. */
export interface HourlyCosts {
  hours: {
    /** Epoch ms. */
    startAt: number;
    cost: number;
    byType: Record<string, number>;
    /** Maximum number of concurrent instances. */
    instances: number;
  }[];
  total: number;
}

interface Life {
  type: string;
  pricePerHour: number;
  fromAt: number;
  untilAt: number;
}

const hourMs = 3_600_000;

/** Computes the cost of each hour from the lifetimes of instances; an instance counts from its first listing. */
export function hourlyCosts(sources: CostSources): HourlyCosts {
  const lives = livesOf(sources);
  const hours: HourlyCosts['hours'] = [];
  const firstAt = Math.floor(sources.sinceAt / hourMs) * hourMs;
  for (let startAt = firstAt; startAt < sources.now; startAt += hourMs) {
    const byType: Record<string, number> = {};
    let instances = 0;
    for (const { type, pricePerHour, fromAt, untilAt } of lives) {
      const spentMs = Math.min(untilAt, startAt + hourMs) - Math.max(fromAt, startAt);
      if (spentMs <= 0) continue;
      instances++;
      byType[type] = (byType[type] ?? 0) + (spentMs / hourMs) * pricePerHour;
    }
    const cost = Object.values(byType).reduce((sum, each) => sum + each, 0);
    hours.push({ startAt, cost, byType, instances });
  }
  return { hours, total: hours.reduce((sum, { cost }) => sum + cost, 0) };
}

function livesOf({ appeared, gone, running, sinceAt, now }: CostSources): Life[] {
  const firstSeenAt = new Map<string, number>();
  for (const { instance = '', at } of appeared)
    firstSeenAt.set(instance, Math.min(at, firstSeenAt.get(instance) ?? at));
  const lives: Life[] = [];
  for (const { instance = '', at, data } of gone) {
    const {
      lifeMs = 0,
      cost = 0,
      type = '',
    } = (data ?? {}) as { lifeMs?: number; cost?: number; type?: string };
    const fromAt = Math.min(at - lifeMs, firstSeenAt.get(instance) ?? at);
    const pricePerHour = lifeMs > 0 ? cost / (lifeMs / hourMs) : 0;
    lives.push({ type, pricePerHour, fromAt: Math.max(fromAt, sinceAt), untilAt: at });
  }
  for (const { instanceId, instanceType, appearedAt } of running) {
    const fromAt = Math.min(appearedAt, firstSeenAt.get(instanceId) ?? appearedAt);
    lives.push({
      type: instanceType.name,
      pricePerHour: instanceType.price,
      fromAt: Math.max(fromAt, sinceAt),
      untilAt: now,
    });
  }
  return lives;
}
