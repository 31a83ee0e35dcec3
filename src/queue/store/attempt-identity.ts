import type { AttemptOrigin } from '../../domain/container.js';
import type { ContainerRow } from './container-rows.js';

/**
 * Returns why a report is not about the last attempt of the container, or `undefined` when it is. A report without an
 * attempt number, of a runner program that records none, is judged by its instance alone. An instance may come under a
 * new id, as a static host does, and keep what an earlier attempt left there: then the number tells them apart.
 */
export function foreignBecause(
  { attempts: last, attempt_instance: where }: ContainerRow,
  { instanceId, attempt }: AttemptOrigin,
): string | undefined {
  if (last === 0) return 'the container was never started';
  if (attempt !== undefined && attempt !== last)
    return `it is of attempt ${attempt}, and the last attempt is ${last}, on ${where || 'no instance'}`;
  if (instanceId !== where)
    return `it comes from ${instanceId}, and attempt ${last} was given to ${where || 'no instance'}`;
  return undefined;
}
