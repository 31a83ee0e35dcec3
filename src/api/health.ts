import type { ApiDeps } from './deps.js';

/** What is wrong with this daemon, for people; `undefined` when all is well, standing by included. */
export function healthOf({
  role,
  pool,
  journal,
  attemptFault,
}: Pick<ApiDeps, 'role' | 'pool' | 'journal' | 'attemptFault'>): string | undefined {
  const { fault, state } = role();
  return (
    fault ?? (state === 'leading' ? (pool.health() ?? attemptFault()) : undefined) ?? journal.state().fault
  );
}
