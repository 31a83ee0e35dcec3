import type { SimulationResult } from '../simulate.js';
import { livesOf, peaksOf, runsOf, waitsOf, type Interval } from './intervals.js';

/** How a run went over time: one value for each step, the most there was in it. */
export interface Series {
  stepMs: number;
  instances: number[];
  running: number[];
  waiting: number[];
  /** Calls to the provider in the busiest minute of the step. */
  calls: number[];
}

const mostSteps = 600;
const minuteMs = 60_000;

export function seriesOf({ containers, instances, calls, elapsedMs }: SimulationResult): Series {
  const stepMs = Math.max(minuteMs, Math.ceil(elapsedMs / mostSteps / minuteMs) * minuteMs);
  const bounds = Array.from(
    { length: Math.max(1, Math.ceil(elapsedMs / stepMs)) },
    (_, step) => step * stepMs,
  );
  const peaks = (intervals: readonly Interval[]): number[] => peaksOf(intervals, bounds, elapsedMs + 1);
  const busiest = bounds.map(() => 0);
  for (const [minute, { throttled: _throttled, ...made }] of calls) {
    const step = Math.min(bounds.length - 1, Math.floor((minute * minuteMs) / stepMs));
    const sum = Object.values(made).reduce((total, each) => total + each, 0);
    busiest[step] = Math.max(busiest[step]!, sum);
  }
  return {
    stepMs,
    instances: peaks(livesOf(instances, elapsedMs)),
    running: peaks(runsOf(containers, elapsedMs)),
    waiting: peaks(waitsOf(containers, elapsedMs)),
    calls: busiest,
  };
}
