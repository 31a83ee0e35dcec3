const longestTimerMs = 2 ** 31 - 1;

/** Time as a port: the system's in the daemon, a simulated one in tests and simulations. Fits XState's `clock` option. */
export interface Clock {
  /** Epoch ms. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The clock of this process. Waits beyond the timer limit of the platform (24.8 days) are taken in parts. */
export const systemClock: Clock = {
  now: () => Date.now(),
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
