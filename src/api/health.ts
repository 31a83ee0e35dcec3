import { QueueError } from '../queue/queue.js';
import type { ApiDeps } from './deps.js';

type Parts = Pick<ApiDeps, 'role' | 'pool' | 'journal' | 'attemptFault' | 'storeFault' | 'dispatchFault'>;

/** What is wrong with this daemon, for people; `undefined` when all is well, standing by included. */
export function healthOf(deps: Parts): string | undefined {
  const { fault, state } = deps.role();
  const leading = () => deps.pool.health() ?? deps.dispatchFault().any ?? deps.attemptFault();
  return (
    deps.storeFault() ?? fault ?? (state === 'leading' ? leading() : undefined) ?? deps.journal.state().fault
  );
}

/** Nothing is acknowledged that cannot be dispatched. Throws {@link QueueError} `unavailable` with the cause. */
export function assertAccepting({ role, storeFault, dispatchFault }: Parts): void {
  const cause = storeFault() ?? (role().state === 'leading' ? dispatchFault().stop : undefined);
  if (cause !== undefined) throw new QueueError('unavailable', `no container is accepted now: ${cause}`);
}
