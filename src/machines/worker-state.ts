import type { WorkerSnapshot } from './worker.js';
import type { WorkerState } from '../domain/instance.js';

/** Where the worker is in its life; `appearing` and `gone` last for no time (V-10). */
export function workerStateOf(snapshot: WorkerSnapshot): WorkerState {
  const { lifecycle } = snapshot.value;
  if (typeof lifecycle !== 'string') return 'booting' in lifecycle ? 'booting' : 'shutdown';
  if (lifecycle === 'appearing') return snapshot.context.expected ? 'booting' : 'unknown';
  if (lifecycle === 'orphaned') return 'unknown';
  return lifecycle === 'gone' ? 'shutdown' : lifecycle;
}

/** When it was asked for, or first seen by this daemon or an earlier one; epoch ms. */
export function knownSince({ createdAt, appearedAt }: WorkerSnapshot['context']): number {
  return createdAt ?? appearedAt;
}
