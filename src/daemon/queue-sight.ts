import type { PlannedContainer } from '../fleet/dispatcher.js';
import type { BreakerView } from '../domain/breaker-view.js';
import type { QueueSight } from '../observability/invariants/queue-model.js';
import { describeWait, type WaitReason } from '../policy/wait-reason.js';
import type { InstanceView } from '../domain/instance-view.js';

/** Parts of the core that explain why the queue does not move. */
export interface QueueFacts {
  containers: readonly PlannedContainer[];
  instances: readonly InstanceView[];
  breakers: readonly BreakerView[];
  /** Containers with a live process. */
  running: number;
}

/** Blocked by their owners, or checked by deadlines elsewhere. */
const others: ReadonlySet<string> = new Set([
  'priority-zero',
  'backing-off',
  'preparing',
  'previous-attempt',
  'new-instance',
]);

/** Returns the first container that waits for the fleet, and when that must end; `undefined`: none. */
export function queueSight(facts: QueueFacts): QueueSight | undefined {
  for (const { entry, wait } of facts.containers) {
    if (!wait || others.has(wait.code)) continue;
    return { container: entry.container.uuid, reason: describeWait(wait), endsAt: endOf(wait, facts) };
  }
  return undefined;
}

/** 0: nothing exists that would end it. */
function endOf(reason: WaitReason, { instances, breakers, running }: QueueFacts): number {
  const isComing = instances.some(({ workerState }) =>
    ['booting', 'unknown', 'shutdown'].includes(workerState),
  );
  const isKept = instances.some(({ idleBehavior, isOrphan }) => idleBehavior === 'hold' || isOrphan);
  if (isComing || running > 0) return Infinity;
  const ends = (prefix: RegExp): number =>
    Math.max(0, ...breakers.filter(({ key }) => prefix.test(key)).map(({ until }) => until ?? 0));
  switch (reason.code) {
    case 'paced':
      return reason.retryAt ?? 0;
    case 'avoiding':
      return reason.until;
    case 'protected':
      return reason.until ?? 0;
    case 'types-at-capacity':
      return ends(/^(capacity|boot|failing)/);
    case 'cloud-limit':
      // Without any instance no container waits for one: except for an operator's hold only the quota delay remains.
      return isKept ? Infinity : instances.length === 0 ? 0 : ends(/^quota$/);
    default:
      return 0;
  }
}
