import type { Container } from '../domain/container.js';
import type { RunningView } from '../domain/instance-view.js';

/** A process, or what is left of one, on an instance that the queue did not place the container on. */
export interface Stray extends RunningView {
  uuid: string;
}

/** The instance that the queue says the container runs on; `undefined`: it does not run, or that is not known. */
export function placeOf(container: Container | undefined): string | undefined {
  return container?.state === 'Running' && container.instanceId ? container.instanceId : undefined;
}

/**
 * Of containers that several instances have, the view of the instance that the queue names, so that no other one can
 * hide how the container really is; the others are strays.
 */
export function resolveDoubles(
  running: ReadonlyMap<string, RunningView>,
  doubles: readonly Stray[],
  containerOf: (uuid: string) => Container | undefined,
): { running: ReadonlyMap<string, RunningView>; strays: Stray[] } {
  if (doubles.length === 0) return { running, strays: [] };
  const resolved = new Map(running);
  const strays: Stray[] = [];
  for (const double of doubles) {
    const { uuid } = double;
    const place = placeOf(containerOf(uuid));
    const current = resolved.get(uuid);
    if (place === undefined || current === undefined) continue;
    if (double.instanceId === place) {
      resolved.set(uuid, double);
      if (current.instanceId !== place) strays.push({ ...current, uuid });
    } else strays.push(double);
  }
  return { running: resolved, strays };
}
