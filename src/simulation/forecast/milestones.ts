import type { JournalEntry } from '../../journal/journal.js';
import { epochMs } from '../world.js';

/** When an instance came into service, and when it was to go; ms since the start. */
export interface Milestones {
  readyAtMs: number | undefined;
  leavingAtMs: number | undefined;
}

/** Gathers from the journal, as it is written, what the daemon thought of each instance. */
export class MilestoneBook {
  readonly #marks = new Map<string, Milestones>();

  note({ at, kind, instance, to = '' }: JournalEntry): void {
    if (kind !== 'worker.transition' || instance === undefined) return;
    const marks = this.#marks.get(instance) ?? { readyAtMs: undefined, leavingAtMs: undefined };
    this.#marks.set(instance, marks);
    if (to === 'idle' || to === 'running') marks.readyAtMs ??= at - epochMs;
    if (to.startsWith('shutdown')) marks.leavingAtMs ??= at - epochMs;
  }

  of(instance: string): Milestones {
    return this.#marks.get(instance) ?? { readyAtMs: undefined, leavingAtMs: undefined };
  }
}
