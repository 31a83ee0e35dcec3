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
  /** The most processor time that one turn took: what it needs whatever other programs do. */
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
  let ranAt = scheduled().ranMs;
  let longestTurnMs = 0;
  let longestOwnTurnMs = 0;
  const begin = (): void => {
    turnAt = performance.now();
    ranAt = scheduled().ranMs;
  };
  const tick = (): void => {
    const [before, ran] = [turnAt, ranAt];
    begin();
    const turnMs = Math.max(0, turnAt - before - tickMs);
    longestTurnMs = Math.max(longestTurnMs, turnMs);
    longestOwnTurnMs = Math.max(longestOwnTurnMs, ranAt - ran);
  };
  let reports = 0;
  let heldBytes = 0;
  const tell = (): void => {
    tick();
    const longestDelayMs = delay.max / 1e6;
    if (reports++ % collectEvery === 0) heldBytes = heldAfterCollection();
    const { rss } = process.memoryUsage();
    const turns = { longestTurnMs, longestOwnTurnMs, longestDelayMs };
    report({ at: Date.now(), heldBytes, residentBytes: rss, ...turns, waitedMs: waitedForProcessorMs() });
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

/** How long this thread stood ready and had no processor. */
export function waitedForProcessorMs(): number {
  return scheduled().waitedMs;
}

/** See proc(5), `schedstat`. Where the system does not say: the processor time of the process, and no waiting. */
function scheduled(): { ranMs: number; waitedMs: number } {
  try {
    const [ran, waited] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ').map(Number);
    return { ranMs: ran! / 1e6, waitedMs: waited! / 1e6 };
  } catch {
    const { user, system } = process.cpuUsage();
    return { ranMs: (user + system) / 1e3, waitedMs: 0 };
  }
}
