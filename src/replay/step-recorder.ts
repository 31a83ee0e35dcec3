import type { EventObject } from 'xstate';
import type { StepFacts } from '../actors/observed.js';
import type { WorkerSnapshot } from '../actors/roster.js';
import type { JournalEntry } from '../journal/journal.js';
import { isWorthKeeping, recordBase, recordStep } from './step-record.js';

/** Kinds of entries from which steps are made again; people read the others. */
export const replayKinds = ['worker.begun', 'worker.step'] as const;

export function isForReplay({ kind }: JournalEntry): boolean {
  return (replayKinds as readonly string[]).includes(kind);
}

/** Turns the steps of workers into journal entries from which they can be made again. */
export class StepRecorder {
  readonly #skipped = new Map<string, number>();

  /** A worker begins its life, or begins it anew. */
  begun(snapshot: WorkerSnapshot, at: number): JournalEntry {
    const { id } = snapshot.context.instance;
    this.#skipped.delete(id);
    return { at, kind: 'worker.begun', instance: id, data: { ...recordBase(snapshot) } };
  }

  /** `undefined` for a step that changed nothing worth keeping; those are counted. */
  step(
    event: EventObject,
    before: WorkerSnapshot,
    after: WorkerSnapshot,
    facts: StepFacts,
  ): JournalEntry | undefined {
    const { id } = after.context.instance;
    const skipped = this.#skipped.get(id) ?? 0;
    if (!isWorthKeeping(event, before, after)) {
      this.#skipped.set(id, skipped + 1);
      return undefined;
    }
    if (skipped > 0) this.#skipped.delete(id);
    const data = { ...recordStep(event, before, after, facts, skipped) };
    return { at: facts.at, kind: 'worker.step', instance: id, event: event.type, data };
  }

  /** So many steps that changed nothing were not made. */
  skip(instanceId: string, steps: number): void {
    this.#skipped.set(instanceId, (this.#skipped.get(instanceId) ?? 0) + steps);
  }

  gone(instanceId: string): void {
    this.#skipped.delete(instanceId);
  }
}
