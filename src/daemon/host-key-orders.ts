import type { Executors } from '../fleet/instance-executors.js';
import type { WorkerPool } from '../fleet/worker-pool.js';
import type { PinnedHostKey } from '../domain/host-key.js';
import type { Reporter } from '../observability/reporter.js';

/** Operator commands for host keys. Both throw `UnknownInstanceError`. */
export interface HostKeyOrders {
  /** Returns the pinned key; undefined until the instance has proved its identity. */
  of(instanceId: string): PinnedHostKey | undefined;
  /**
   * Pins the key with this fingerprint, or the last rejected key, and returns an instance to service that is quarantined
   * only for its key. Throws `HostKeyError`.
   */
  accept(instanceId: string, fingerprint: string | undefined, because: string): PinnedHostKey;
}

export function hostKeyOrders(parts: {
  executors: Executors;
  pool: Pick<WorkerPool, 'setIdleBehavior'>;
  reporter: Pick<Reporter, 'hostKeyAccepted'>;
}): HostKeyOrders {
  const { executors, pool, reporter } = parts;
  const { conduct, hostKeys } = executors;
  return {
    of: (instanceId) => hostKeys.of(executors.of(instanceId).instance.id),
    accept: (instanceId, fingerprint, because) => {
      const accepted = executors.acceptHostKey(instanceId, fingerprint);
      if (!accepted) return hostKeys.of(instanceId)!;
      reporter.hostKeyAccepted(instanceId, accepted, because);
      const { strikes = {} } = conduct.view(instanceId) ?? {};
      const isForKeyAlone = Object.keys(strikes).every((kind) => kind === 'host-key');
      if (isForKeyAlone && conduct.clear(instanceId)) pool.setIdleBehavior(instanceId, 'run', because);
      return accepted;
    },
  };
}
