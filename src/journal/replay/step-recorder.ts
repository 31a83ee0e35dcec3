import type { EventObject } from 'xstate';
import type { StepFacts } from '../../machines/inspection/observe-transitions.js';
import type { JournalEntry } from '../journal.js';
import { isWorthKeeping, recordBase, recordStep, stateOf, type RecordedState } from './step-record.js';
import type { WorkerSnapshot } from '../../machines/worker.js';

/** Kinds of entries from which steps are made again; people read the others. */
export const replayKinds = ['worker.begun', 'worker.step'] as const;

export function isForReplay({ kind }: JournalEntry): boolean {
  return (replayKinds as readonly string[]).includes(kind);
}

/** A whole record comes at the latest after so many, and after so long: a story that begins in the middle has one soon. */
const longestChain = 20;
const longestChainMs = 300_000;

/** What was last kept of a worker. */
interface Chain {
  last: RecordedState | undefined;
  length: number;
  /** When its whole record was made; epoch ms. */
  beganAt: number;
}

/** Turns the steps of workers into journal entries from which they can be made again. */
export class StepRecorder {
  readonly #skipped = new Map<string, number>();
  readonly #chains = new Map<string, Chain>();

  /** A worker begins its life, or begins it anew. */
  begun(snapshot: WorkerSnapshot, at: number): JournalEntry {
    const { id } = snapshot.context.instance;
    this.gone(id);
    return { at, kind: 'worker.begun', instance: id, data: { ...recordBase(snapshot) } };
  }

  /** `undefined` for a step that changed nothing worth keeping; those are counted. */
  step(
    event: EventObject,
    before: WorkerSnapshot,
    after: WorkerSnapshot,
    { at, guards }: StepFacts,
  ): JournalEntry | undefined {
    const { id } = after.context.instance;
    const skipped = this.#skipped.get(id) ?? 0;
    if (!isWorthKeeping(event, before, after)) {
      this.#skipped.set(id, skipped + 1);
      return undefined;
    }
    if (skipped > 0) this.#skipped.delete(id);
    const chain = this.#chainOf(id, at);
    const record = recordStep(event, before, after, chain.last);
    const data = { ...record, guards: guards(), skipped, follows: chain.length };
    chain.last = stateOf(after);
    chain.length++;
    return { at, kind: 'worker.step', instance: id, event: event.type, data };
  }

  /** So many steps that changed nothing were not made. */
  skip(instanceId: string, steps: number): void {
    this.#skipped.set(instanceId, (this.#skipped.get(instanceId) ?? 0) + steps);
  }

  gone(instanceId: string): void {
    this.#skipped.delete(instanceId);
    this.#chains.delete(instanceId);
  }

  #chainOf(id: string, at: number): Chain {
    const known = this.#chains.get(id);
    if (known && known.length < longestChain && at - known.beganAt < longestChainMs) return known;
    const begun: Chain = { last: undefined, length: 0, beganAt: at };
    this.#chains.set(id, begun);
    return begun;
  }
}
