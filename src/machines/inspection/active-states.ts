import type { StateValue } from 'xstate';
import { pendingTimers, type PendingTimer } from './pending-timers.js';
import type { WorkerActor } from '../worker.js';

/** Where a worker is in its statechart: what the page lights. */
export interface ChartState {
  /** Paths of the active states, such as `lifecycle.booting.verified`, outer ones included. */
  active: readonly string[];
  timers: readonly PendingTimer[];
  /** The same for the chart of each container on it. */
  runners: readonly { uuid: string; active: readonly string[]; timers: readonly PendingTimer[] }[];
}

export function chartStateOf(actor: WorkerActor): ChartState {
  const { value, children } = actor.getSnapshot();
  const runners = Object.entries(children ?? {}).flatMap(([uuid, child]) => {
    const snapshot = child?.getSnapshot() as { value?: StateValue; context?: { uuid?: string } } | undefined;
    if (!child || snapshot?.value === undefined || snapshot.context?.uuid !== uuid) return [];
    return [{ uuid, active: activePaths(snapshot.value), timers: pendingTimers(child) }];
  });
  return { active: activePaths(value), timers: pendingTimers(actor), runners };
}

/** Paths of the states a value stands for, outer ones included. */
export function activePaths(value: StateValue, above = ''): string[] {
  if (typeof value === 'string') return [above + value];
  return Object.entries(value).flatMap(([key, inner]) => [
    above + key,
    ...(inner === undefined ? [] : activePaths(inner, `${above}${key}.`)),
  ]);
}
