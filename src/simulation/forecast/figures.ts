import type { ContainerLife, InstanceLife } from '../ground-truth.js';
import type { SimulationResult } from '../simulate.js';
import { livesOf, peaksOf, runsOf, union, waitsOf, type Interval } from './intervals.js';
import type { Milestones } from './milestones.js';

/** What a simulated run came to. Durations in ms, money in dollars, shares from 0 to 1. */
export interface Figures {
  /** From the first container to the last instance. */
  spanMs: number;
  containers: { total: number; complete: number; cancelled: number; open: number; begunAgain: number };
  instances: { total: number; neverServed: number; peak: number };
  cost: number;
  /** Parts of the cost: while containers ran, while none did, before service, and after the order to go. */
  costOf: { busy: number; idle: number; booting: number; leaving: number };
  /** Of the VCPU hours in service, those that containers had asked for. */
  utilisation: number;
  /** From the request to the first start. */
  waits: Percentiles;
  /** From the request to the end. */
  turnarounds: Percentiles;
  calls: { total: number; throttled: number; perMinute: number; peakPerMinute: number };
  violations: number;
  hours: HourFigures[];
  byType: TypeFigures[];
}

export interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export interface HourFigures {
  /** From 0. */
  hour: number;
  cost: number;
  peakInstances: number;
  peakRunning: number;
  /** Most containers that waited at once. */
  peakWaiting: number;
  peakCallsPerMinute: number;
}

export interface TypeFigures {
  type: string;
  instances: number;
  hours: number;
  cost: number;
  /** Share of the time in service with a container on it. */
  busy: number;
}

const hourMs = 3_600_000;

/** Sums up what really happened in a run. */
export function figuresOf(result: SimulationResult, milestonesOf: (instance: string) => Milestones): Figures {
  const { containers, instances } = result;
  const spanMs = Math.max(1, spanOf(result));
  const spans = instances.map((instance) =>
    spansOf(instance, milestonesOf(instance.id), busyOf(instance, containers), spanMs),
  );
  const sum = (part: keyof InstanceSpans): number =>
    spans.reduce((total, each, index) => total + each[part] * instances[index]!.type.price, 0) / hourMs;
  const costOf = { busy: sum('busy'), idle: sum('idle'), booting: sum('booting'), leaving: sum('leaving') };
  return {
    spanMs,
    containers: countContainers(containers),
    instances: {
      total: instances.length,
      neverServed: instances.filter(({ id }) => milestonesOf(id).readyAtMs === undefined).length,
      peak: peaksOf(livesOf(instances, spanMs), [0], spanMs)[0]!,
    },
    cost: costOf.busy + costOf.idle + costOf.booting + costOf.leaving,
    costOf,
    utilisation: utilisationOf(containers, instances, spans, spanMs),
    waits: percentiles(
      containers.flatMap(({ runs, submittedAtMs }) => ifRun(runs[0]?.startedAtMs, submittedAtMs)),
    ),
    turnarounds: percentiles(
      containers.flatMap(({ finishedAtMs, submittedAtMs }) => ifRun(finishedAtMs, submittedAtMs)),
    ),
    calls: countCalls(result, spanMs),
    violations: result.violations.length,
    hours: hoursOf(result, spanMs),
    byType: typesOf(instances, spans),
  };
}

/** What is left of a run when the last instance is gone tells nothing. */
function spanOf({ containers, instances, elapsedMs }: SimulationResult): number {
  const ends = [
    ...containers.map(({ finishedAtMs }) => finishedAtMs ?? elapsedMs),
    ...instances.map(({ endedAtMs }) => endedAtMs ?? elapsedMs),
  ];
  return ends.reduce((latest, end) => Math.max(latest, end), 0);
}

const ifRun = (at: number | undefined, from: number): number[] => (at === undefined ? [] : [at - from]);

function countContainers(containers: readonly ContainerLife[]): Figures['containers'] {
  const count = (state: string): number => containers.filter((each) => each.state === state).length;
  const [complete, cancelled] = [count('Complete'), count('Cancelled')];
  return {
    total: containers.length,
    complete,
    cancelled,
    open: containers.length - complete - cancelled,
    begunAgain: containers.filter(({ runs }) => runs.length > 1).length,
  };
}

interface InstanceSpans {
  busy: number;
  idle: number;
  booting: number;
  leaving: number;
}

type BusyTimes = ReadonlyMap<string, readonly Interval[]>;
const busyCache = new WeakMap<readonly ContainerLife[], BusyTimes>();

/** When there was a container on each instance, by instance. */
function busyOf({ id }: InstanceLife, containers: readonly ContainerLife[]): readonly Interval[] {
  let times = busyCache.get(containers);
  if (!times) {
    times = busyTimes(containers);
    busyCache.set(containers, times);
  }
  return times.get(id) ?? [];
}

function busyTimes(containers: readonly ContainerLife[]): BusyTimes {
  const times = new Map<string, Interval[]>();
  for (const { runs } of containers) {
    for (const { instanceId, startedAtMs, endedAtMs } of runs) {
      const intervals = times.get(instanceId) ?? [];
      intervals.push({ fromMs: startedAtMs, toMs: endedAtMs ?? Infinity });
      times.set(instanceId, intervals);
    }
  }
  return new Map([...times].map(([id, intervals]) => [id, union(intervals)]));
}

function spansOf(
  instance: InstanceLife,
  { readyAtMs, leavingAtMs }: Milestones,
  busyTimes: readonly Interval[],
  spanMs: number,
): InstanceSpans {
  const endMs = instance.endedAtMs ?? spanMs;
  const readyMs = Math.min(readyAtMs ?? leavingAtMs ?? endMs, endMs);
  const leavingMs = Math.max(readyMs, Math.min(leavingAtMs ?? endMs, endMs));
  const busy = busyTimes.reduce(
    (total, { fromMs, toMs }) => total + Math.max(0, Math.min(toMs, leavingMs) - Math.max(fromMs, readyMs)),
    0,
  );
  const booting = readyMs - instance.createdAtMs;
  return { busy, idle: leavingMs - readyMs - busy, booting, leaving: endMs - leavingMs };
}

function utilisationOf(
  containers: readonly ContainerLife[],
  instances: readonly InstanceLife[],
  spans: readonly InstanceSpans[],
  spanMs: number,
): number {
  const used = containers.reduce(
    (sum, { vcpus, runs }) =>
      sum + vcpus * runs.reduce((time, run) => time + (run.endedAtMs ?? spanMs) - run.startedAtMs, 0),
    0,
  );
  const had = instances.reduce(
    (sum, { type }, index) => sum + type.vcpus * (spans[index]!.busy + spans[index]!.idle),
    0,
  );
  return had === 0 ? 0 : Math.min(1, used / had);
}

/** 0 for an empty list. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

function countCalls({ calls }: SimulationResult, spanMs: number): Figures['calls'] {
  let [total, throttled, peakPerMinute] = [0, 0, 0];
  for (const count of calls.values()) {
    const { throttled: refused, ...made } = count;
    const inMinute = Object.values(made).reduce((sum, each) => sum + each, 0);
    total += inMinute;
    throttled += refused;
    peakPerMinute = Math.max(peakPerMinute, inMinute);
  }
  return { total, throttled, perMinute: total / Math.max(1, spanMs / 60_000), peakPerMinute };
}

function hoursOf({ containers, instances, calls }: SimulationResult, spanMs: number): HourFigures[] {
  const bounds = Array.from({ length: Math.ceil(spanMs / hourMs) }, (_, hour) => hour * hourMs);
  const peaks = (intervals: readonly Interval[]): number[] => peaksOf(intervals, bounds, spanMs + 1);
  const [lives, running, waiting] = [
    peaks(livesOf(instances, spanMs)),
    peaks(runsOf(containers, spanMs)),
    peaks(waitsOf(containers, spanMs)),
  ];
  const costs = costByHour(instances, spanMs, bounds.length);
  return bounds.map((_, hour) => ({
    hour,
    cost: costs[hour]!,
    peakInstances: lives[hour]!,
    peakRunning: running[hour]!,
    peakWaiting: waiting[hour]!,
    peakCallsPerMinute: peakCalls(calls, hour),
  }));
}

function costByHour(instances: readonly InstanceLife[], spanMs: number, count: number): number[] {
  const costs = new Array<number>(count).fill(0);
  for (const { createdAtMs, endedAtMs = spanMs, type } of instances) {
    for (let hour = Math.floor(createdAtMs / hourMs); hour < count && hour * hourMs < endedAtMs; hour++) {
      const fromMs = Math.max(createdAtMs, hour * hourMs);
      const toMs = Math.min(endedAtMs, (hour + 1) * hourMs);
      costs[hour]! += (Math.max(0, toMs - fromMs) / hourMs) * type.price;
    }
  }
  return costs;
}

function peakCalls(calls: SimulationResult['calls'], hour: number): number {
  let most = 0;
  for (let minute = hour * 60; minute < (hour + 1) * 60; minute++) {
    const { throttled: _throttled, ...made } = calls.get(minute) ?? { throttled: 0 };
    most = Math.max(
      most,
      Object.values(made as Record<string, number>).reduce((sum, each) => sum + each, 0),
    );
  }
  return most;
}

function typesOf(instances: readonly InstanceLife[], spans: readonly InstanceSpans[]): TypeFigures[] {
  const groups = new Map<string, TypeFigures & { busyMs: number; servedMs: number }>();
  for (const [index, { type }] of instances.entries()) {
    const { busy, idle, booting, leaving } = spans[index]!;
    const fresh = { type: type.name, instances: 0, hours: 0, cost: 0, busy: 0, busyMs: 0, servedMs: 0 };
    const group = groups.get(type.name) ?? fresh;
    groups.set(type.name, group);
    const hours = (busy + idle + booting + leaving) / hourMs;
    group.instances++;
    group.hours += hours;
    group.cost += hours * type.price;
    group.busyMs += busy;
    group.servedMs += busy + idle;
  }
  return [...groups.values()]
    .sort((a, b) => b.cost - a.cost)
    .map(({ busyMs, servedMs, ...group }) => ({ ...group, busy: servedMs === 0 ? 0 : busyMs / servedMs }));
}
