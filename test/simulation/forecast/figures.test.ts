import { describe, expect, it } from 'vitest';
import { figuresOf, percentiles } from '../../../src/simulation/forecast/figures.js';
import { peaksOf, union } from '../../../src/simulation/forecast/intervals.js';
import type { ContainerLife, InstanceLife, RunLife } from '../../../src/simulation/ground-truth.js';
import type { SimulationResult } from '../../../src/simulation/simulate.js';
import { smallType } from '../../support/worker-world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

const run = (instanceId: string, fromMinute: number, toMinute: number): RunLife => ({
  instanceId,
  startedAtMs: fromMinute * minuteMs,
  endedAtMs: toMinute * minuteMs,
  ending: 'exit',
});

const container = (uuid: string, submittedMinute: number, ...runs: RunLife[]): ContainerLife => ({
  uuid,
  name: uuid,
  vcpus: 1,
  submittedAtMs: submittedMinute * minuteMs,
  state: 'Complete',
  runs,
  finishedAtMs: runs.at(-1)?.endedAtMs,
});

const instance = (id: string, fromMinute: number, toMinute: number): InstanceLife => ({
  id,
  type: { ...smallType, price: 1.2, vcpus: 2 },
  createdAtMs: fromMinute * minuteMs,
  readyAtMs: undefined,
  destroyAtMs: undefined,
  endedAtMs: toMinute * minuteMs,
  live: new Map(),
});

describe('the figures of a simulated run', () => {
  it('sum up cost, waits, use and calls', () => {
    const result: SimulationResult = {
      seed: 1,
      elapsedMs: 3 * hourMs,
      wallMs: 1,
      journalHash: '',
      journalEntries: 0,
      violations: [],
      containers: [
        container('a', 0, run('i-1', 10, 40)),
        container('b', 0, run('i-1', 20, 50)),
        container('c', 60, run('i-2', 70, 80), run('i-2', 90, 100)),
      ],
      instances: [instance('i-1', 0, 60), instance('i-2', 60, 120)],
      calls: new Map([
        [0, { create: 2, list: 3, destroy: 0, setTags: 1, throttled: 1 }],
        [61, { create: 1, list: 1, destroy: 0, setTags: 0, throttled: 0 }],
      ]),
      passedOver: 0,
      daemons: 1,
    };
    const figures = figuresOf(result, (id) =>
      id === 'i-1'
        ? { readyAtMs: 5 * minuteMs, leavingAtMs: 55 * minuteMs }
        : { readyAtMs: undefined, leavingAtMs: undefined },
    );
    expect(figures.spanMs).toBe(2 * hourMs);
    expect(figures.cost).toBeCloseTo(2.4);
    // i-1: 5 booting, 40 busy, 10 idle, 5 leaving; i-2 never said that it serves.
    expect(figures.costOf.busy).toBeCloseTo((40 / 60) * 1.2);
    expect(figures.costOf.idle).toBeCloseTo((10 / 60) * 1.2);
    expect(figures.costOf.booting).toBeCloseTo((65 / 60) * 1.2);
    expect(figures.costOf.leaving).toBeCloseTo((5 / 60) * 1.2);
    expect(figures.utilisation).toBeCloseTo((60 + 20) / 100);
    expect(figures.containers).toEqual({ total: 3, complete: 3, cancelled: 0, open: 0, begunAgain: 1 });
    expect(figures.instances).toEqual({ total: 2, neverServed: 1, peak: 1 });
    expect(figures.waits).toEqual({
      p50: 10 * minuteMs,
      p90: 20 * minuteMs,
      p99: 20 * minuteMs,
      max: 20 * minuteMs,
    });
    expect(figures.turnarounds.max).toBe(50 * minuteMs);
    expect(figures.calls).toEqual({ total: 8, throttled: 1, perMinute: 8 / 120, peakPerMinute: 6 });
    expect(figures.hours).toMatchObject([
      { hour: 0, peakInstances: 1, peakRunning: 2, peakWaiting: 2, peakCallsPerMinute: 6 },
      { hour: 1, peakInstances: 1, peakRunning: 1, peakWaiting: 1, peakCallsPerMinute: 2 },
    ]);
    expect(figures.hours.map(({ cost }) => cost)).toEqual([1.2, 1.2]);
    expect(figures.byType).toMatchObject([{ type: 'small', instances: 2, hours: 2 }]);
  });

  it('are 0 for a run in which nothing happened', () => {
    const nothing = {
      seed: 1,
      elapsedMs: 0,
      wallMs: 0,
      journalHash: '',
      journalEntries: 0,
      passedOver: 0,
      daemons: 1,
    };
    const lists = { violations: [], containers: [], instances: [], calls: new Map() };
    const figures = figuresOf({ ...nothing, ...lists }, () => ({
      readyAtMs: undefined,
      leavingAtMs: undefined,
    }));
    expect([figures.cost, figures.utilisation, figures.waits.max, figures.calls.total]).toEqual([0, 0, 0, 0]);
  });

  it('take percentiles from the values there are', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentiles(values)).toEqual({ p50: 50, p90: 90, p99: 99, max: 100 });
    expect(percentiles([7])).toEqual({ p50: 7, p90: 7, p99: 7, max: 7 });
  });

  it('count what is there at once, by part of time', () => {
    const intervals = [
      { fromMs: 0, toMs: 10 },
      { fromMs: 5, toMs: 25 },
      { fromMs: 10, toMs: 12 },
      { fromMs: 30, toMs: 31 },
    ];
    expect(peaksOf(intervals, [0, 10, 20, 30], 40)).toEqual([2, 2, 1, 1]);
    expect(union(intervals)).toEqual([
      { fromMs: 0, toMs: 25 },
      { fromMs: 30, toMs: 31 },
    ]);
  });
});
