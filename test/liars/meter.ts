import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What a process measured of itself since the last report. */
export interface Measured {
  at: number;
  /** Heap and buffers after a full collection of garbage: what is really held. */
  heldBytes: number;
  /** With garbage and all that is not given back yet. */
  residentBytes: number;
  /** The longest turn of the event loop, of the clock on the wall. */
  longestTurnMs: number;
  /** The same less the time in which this thread was ready and other programs had the processor. */
  longestOwnTurnMs: number;
  /** What perf_hooks says of the longest. */
  longestDelayMs: number;
  /** How long this thread stood ready and had no processor. */
  waitedMs: number;
}

const tickMs = 5;
const reportMs = 500;
/** A full collection is a turn of its own, and our doing: it is not counted, and not made often. */
const collectEvery = 4;

/** Reports until stopped. Needs `--expose-gc`. */
export function startMeter(report: (measured: Measured) => void): () => void {
  const delay = monitorEventLoopDelay({ resolution: tickMs });
  delay.enable();
  let turnAt = performance.now();
  let waitedAt = waitedForProcessorMs();
  let longestTurnMs = 0;
  let longestOwnTurnMs = 0;
  const begin = (): void => {
    turnAt = performance.now();
    waitedAt = waitedForProcessorMs();
  };
  const tick = (): void => {
    const [before, waited] = [turnAt, waitedAt];
    begin();
    const turnMs = Math.max(0, turnAt - before - tickMs);
    longestTurnMs = Math.max(longestTurnMs, turnMs);
    longestOwnTurnMs = Math.max(longestOwnTurnMs, turnMs - (waitedAt - waited));
  };
  let reports = 0;
  let heldBytes = 0;
  const tell = (): void => {
    tick();
    const longestDelayMs = delay.max / 1e6;
    if (reports++ % collectEvery === 0) heldBytes = heldAfterCollection();
    const { rss } = process.memoryUsage();
    const turns = { longestTurnMs, longestOwnTurnMs, longestDelayMs };
    report({ at: Date.now(), heldBytes, residentBytes: rss, ...turns, waitedMs: waitedAt });
    [longestTurnMs, longestOwnTurnMs] = [0, 0];
    delay.reset();
    begin();
  };
  const timers = [setInterval(tick, tickMs), setInterval(tell, reportMs)];
  return () => {
    timers.forEach((timer) => clearInterval(timer));
    delay.disable();
  };
}

function heldAfterCollection(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** See proc(5), `schedstat`; 0 where the system does not say. */
export function waitedForProcessorMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
