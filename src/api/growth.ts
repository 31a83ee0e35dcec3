import type { WaitReason } from '../policy/wait-reason.js';
import type { ApiDeps } from './deps.js';

const waitsForInstances: ReadonlySet<WaitReason['code']> = new Set(['cloud-limit', 'paced', 'protected']);

/**
 * Returns why no instance can be created while containers wait for one, with the breaker and its end; `undefined`
 * otherwise. Neither this nor a limit set by the operator is an error of the daemon.
 */
export function heldGrowthOf({
  role,
  pool,
  dispatcher,
  breakers,
}: Pick<ApiDeps, 'role' | 'pool' | 'dispatcher' | 'breakers'>): string | undefined {
  if (role().state !== 'leading' || pool.creatable() > 0) return undefined;
  const held = breakers.list().find(({ key, state }) => holdsAll.has(key) && state !== 'halfOpen');
  if (!held) return undefined;
  const waiting = dispatcher
    .containers()
    .filter(({ wait }) => wait && waitsForInstances.has(wait.code)).length;
  if (waiting === 0) return undefined;
  const trial =
    held.until === undefined ? 'a trial is under way' : `next trial at ${new Date(held.until).toISOString()}`;
  return `no instance can be created, and ${waiting} containers wait (breaker "${held.key}": ${held.reason}; ${trial})`;
}

/** Breakers that concern the whole provider. */
const holdsAll: ReadonlySet<string> = new Set(['quota', 'create pace', 'boot: all', 'provider']);
