import { Conduct } from '../fleet/conduct.js';
import { workerStateOf } from '../machines/worker-state.js';
import type { WorkerPool } from '../fleet/worker-pool.js';
import type { ConductStore, ConductView } from '../domain/conduct-view.js';
import type { Quarantine } from '../domain/instance.js';
import type { Driver } from '../drivers/driver.js';
import type { WorkerEvent } from '../machines/worker-model.js';
import type { Queue } from '../queue/queue.js';
import type { CoreOptions } from './core-options.js';

/** `leaving`: the instance is being destroyed, and its quarantine ends with it. */
export type ClearedQuarantine = 'cleared' | 'none' | 'leaving';

/** Orders of operators about quarantined instances. */
export interface QuarantineOrders {
  /** Ends the quarantine as `clearQuarantine` of a driver does; an instance that drains for its behaviour is put back into use. */
  clear(instanceId: string, force: boolean): Promise<ClearedQuarantine>;
  /** Returns counts of the instance's violations; `undefined`: none known. */
  conduct(instanceId: string): ConductView | undefined;
}

export function quarantineOrders(parts: {
  cloudCallTimeoutMs: number;
  driver: Driver;
  conduct: Conduct;
  pool: Pick<WorkerPool, 'snapshot' | 'setIdleBehavior'>;
}): QuarantineOrders {
  const { cloudCallTimeoutMs, driver, conduct, pool } = parts;
  return {
    conduct: (instanceId) => conduct.view(instanceId),
    clear: async (instanceId, force) => {
      const signal = AbortSignal.timeout(cloudCallTimeoutMs);
      // A driver may quarantine what is being destroyed: a host that it cannot release.
      if (await driver.clearQuarantine?.(instanceId, { signal, force })) {
        conduct.clear(instanceId);
        return 'cleared';
      }
      const snapshot = pool.snapshot(instanceId);
      if (!snapshot || !conduct.quarantineOf(instanceId)) return 'none';
      if (workerStateOf(snapshot) === 'shutdown') return 'leaving';
      conduct.clear(instanceId);
      if (snapshot.context.idleBehavior === 'drain')
        pool.setIdleBehavior(instanceId, 'run', 'its quarantine was cleared');
      return 'cleared';
    },
  };
}

/** Drains the instance, unless it is on hold. */
export function quarantinedEvent({ because }: Quarantine): WorkerEvent {
  return { type: 'node.broken', because: `quarantined: ${because}` };
}

/** Judges violations of instances by the places of containers in the queue. */
export function conductOf(
  { clock, reporter }: Pick<CoreOptions, 'clock' | 'reporter'>,
  parts: {
    queue: Queue;
    store: Pick<ConductStore, 'keep' | 'gone'>;
    recorded: ReadonlyMap<string, ConductView>;
    onQuarantine(instanceId: string, quarantine: Quarantine): void;
  },
): Conduct {
  const { queue, onQuarantine, ...kept } = parts;
  const conduct = new Conduct({
    clock,
    ...kept,
    isGiven: (uuid, instanceId) => {
      const { state, instanceId: place } = queue.get(uuid) ?? {};
      const isOut = state === 'Locked' || state === 'Running';
      return isOut && (place === undefined || place === '' || place === instanceId);
    },
    knowsQueue: () => queue.entries().threshold > 0,
    onStrike: (strike) => reporter.struck(strike),
    onQuarantine: (instanceId, quarantine) => {
      reporter.quarantined(instanceId, quarantine);
      onQuarantine(instanceId, quarantine);
    },
  });
  reporter.onClaimRefused((claim) => conduct.claimed(claim));
  return conduct;
}
