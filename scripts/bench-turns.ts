// How long a piece of work takes, and for how long at a time nothing else had a turn.
import { readFileSync } from 'node:fs';

export interface TurnFigures {
  ms: number;
  /** Of the processor, all threads: on a busy machine the rest of `ms` is waiting. */
  cpuMs: number;
  /** The longest in which nothing else had a turn. */
  longestBlockMs: number;
  /** The same without the time in which other programs had the processor; where the system tells. */
  longestOwnBlockMs: number;
}

export async function measureTurns(work: () => void | Promise<void>): Promise<TurnFigures> {
  let turnAt = performance.now();
  let waitedMs = waitedForProcessorMs();
  let longestBlockMs = 0;
  let longestOwnBlockMs = 0;
  const turn = (): void => {
    const [now, waited] = [performance.now(), waitedForProcessorMs()];
    const blockMs = Math.max(0, now - turnAt - 1);
    longestBlockMs = Math.max(longestBlockMs, blockMs);
    longestOwnBlockMs = Math.max(longestOwnBlockMs, blockMs - (waited - waitedMs));
    [turnAt, waitedMs] = [now, waited];
  };
  const timer = setInterval(turn, 1);
  const cpu = process.cpuUsage();
  const from = performance.now();
  await work();
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  turn();
  clearInterval(timer);
  return { ms, cpuMs: (user + system) / 1_000, longestBlockMs, longestOwnBlockMs };
}

/** How long this thread stood ready and had no processor (proc(5), `schedstat`). */
function waitedForProcessorMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
