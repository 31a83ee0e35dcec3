/** What the runner program says of the times of a run, by the uptime of its host. */
export interface MeasuredRun {
  /** Not given: how long it ran is not known. */
  durationMs?: number | undefined;
  /** From its end to the collecting of its result; not given: it is taken to have ended just now. */
  endedAgoMs?: number | undefined;
}

/**
 * When a run began and ended, by the clock of this daemon, which collects its result at `now`. The clock of the host is
 * not used: it may begin in 1970 and be stepped at any time. `startedAt` 0: it is not known, and the time at which the
 * start was recorded counts.
 */
export function timesOfRun({ durationMs, endedAgoMs = 0 }: MeasuredRun, now: number): RunTimes {
  const finishedAt = Math.max(0, now - endedAgoMs);
  return { startedAt: durationMs === undefined ? 0 : Math.max(0, finishedAt - durationMs), finishedAt };
}

/** Epoch ms. */
export interface RunTimes {
  startedAt: number;
  finishedAt: number;
}
