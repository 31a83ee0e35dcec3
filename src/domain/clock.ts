const longestTimerMs = 2 ** 31 - 1;

/** Time as a port: the system's in the daemon, a simulated one in tests and simulations. Fits XState's `clock` option. */
export interface Clock {
  /** Epoch ms. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** Share of the elapsed time by which a steady clock runs faster or slower to come to the wall clock's time. */
export const steadySlew = 0.005;

/**
 * The time of day for a process that waits by it: it begins with the wall clock's, never goes back and never jumps.
 * When the wall clock is set, it comes to the new time slowly, so that no wait is cut short or drawn out by more than a
 * two-hundredth. `wallNow` in epoch ms; `monotonicNow` in ms since any moment.
 */
export function steadyNow(wallNow: () => number, monotonicNow: () => number): () => number {
  let at = wallNow();
  let lastMs = monotonicNow();
  return () => {
    const nowMs = monotonicNow();
    const elapsedMs = Math.max(0, nowMs - lastMs);
    lastMs = nowMs;
    const mostMs = elapsedMs * steadySlew;
    const behindMs = wallNow() - (at + elapsedMs);
    at += elapsedMs + Math.min(mostMs, Math.max(-mostMs, behindMs));
    return Math.round(at);
  };
}

/** The clock of this process, steady. Waits beyond the timer limit of the platform (24.8 days) are taken in parts. */
export const systemClock: Clock = {
  now: steadyNow(Date.now, () => performance.now()),
  setTimeout(callback, delayMs) {
    const handle: { timer: NodeJS.Timeout | undefined } = { timer: undefined };
    const arm = (leftMs: number): void => {
      const partMs = Math.min(leftMs, longestTimerMs);
      handle.timer = setTimeout(() => (leftMs > partMs ? arm(leftMs - partMs) : callback()), partMs);
    };
    arm(Math.max(0, delayMs));
    return handle;
  },
  clearTimeout(handle) {
    clearTimeout((handle as { timer?: NodeJS.Timeout } | undefined)?.timer);
  },
};
