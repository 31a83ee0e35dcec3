import type { ContainerLife, InstanceLife } from '../ground-truth.js';

/** Ms since the start. */
export interface Interval {
  fromMs: number;
  toMs: number;
}

/** Without overlaps, in order. */
export function union(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const each of [...intervals].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1);
    if (last && each.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, each.toMs);
    else merged.push({ ...each });
  }
  return merged;
}

export const livesOf = (instances: readonly InstanceLife[], spanMs: number): Interval[] =>
  instances.map(({ createdAtMs, endedAtMs }) => ({ fromMs: createdAtMs, toMs: endedAtMs ?? spanMs }));

export const runsOf = (containers: readonly ContainerLife[], spanMs: number): Interval[] =>
  containers.flatMap(({ runs }) =>
    runs.map(({ startedAtMs, endedAtMs }) => ({ fromMs: startedAtMs, toMs: endedAtMs ?? spanMs })),
  );

export const waitsOf = (containers: readonly ContainerLife[], spanMs: number): Interval[] =>
  containers.map(({ submittedAtMs, runs, finishedAtMs }) => ({
    fromMs: submittedAtMs,
    toMs: runs[0]?.startedAtMs ?? finishedAtMs ?? spanMs,
  }));

/** How many there were at once, at most, in parts of time that follow one another: each from its bound to the next. */
export function peaksOf(
  intervals: readonly Interval[],
  boundsMs: readonly number[],
  endMs: number,
): number[] {
  const changes = intervals.flatMap(({ fromMs, toMs }) => [
    { atMs: fromMs, by: 1 },
    { atMs: toMs, by: -1 },
  ]);
  changes.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  let [count, next] = [0, 0];
  return boundsMs.map((_, index) => {
    const untilMs = boundsMs[index + 1] ?? endMs;
    let most = count;
    for (; next < changes.length && changes[next]!.atMs < untilMs; next++) {
      count += changes[next]!.by;
      most = Math.max(most, count);
    }
    return most;
  });
}
