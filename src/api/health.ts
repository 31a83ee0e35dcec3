import { QueueError } from '../queue/queue.js';
import type { ApiDeps } from './deps.js';

type Parts = Pick<ApiDeps, 'role' | 'pool' | 'journal' | 'attemptFault' | 'storeFault' | 'dispatchFault'>;

/** Returns the error of this daemon as text; `undefined` when it is healthy, also as a standby. */
export function healthOf(deps: Parts): string | undefined {
  const { fault, state } = deps.role();
  const leading = () => deps.pool.health() ?? deps.dispatchFault().any ?? deps.attemptFault();
  return (
    deps.storeFault() ?? fault ?? (state === 'leading' ? leading() : undefined) ?? deps.journal.state().fault
  );
}

/**
 * Throws {@link QueueError} `unavailable` with the cause while nothing can be dispatched: no submission is accepted.
 */
export function assertAccepting({ role, storeFault, dispatchFault }: Parts): void {
  const cause = storeFault() ?? (role().state === 'leading' ? dispatchFault().stop : undefined);
  if (cause !== undefined) throw new QueueError('unavailable', `submission refused: ${cause}`);
}
