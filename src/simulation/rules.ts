import type { JournalEntry } from '../journal/journal.js';
import type { World } from './world.js';

/** A rule that was broken. */
export interface Violation {
  /** Ms since the start. */
  atMs: number;
  rule: string;
  /** The container or instance it is about. */
  subject: string;
  what: string;
}

/** The model of what may happen, checked as it happens. */
export class Rules {
  readonly violations: Violation[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    world.ledger.listen((event) => {
      if (event.kind !== 'began') return;
      const runs = world.ledger.containers.get(event.uuid)?.runs ?? [];
      const live = runs.filter(({ endedAtMs }) => endedAtMs === undefined);
      if (live.length > 1) {
        const where = live.map(({ instanceId }) => instanceId).join(' and ');
        this.report('one instance at a time', event.uuid, `it runs on ${where}`);
      }
    });
  }

  /** The daemon's own monitor speaks by the journal. */
  entry({ kind, to = '', instance, container, because = '' }: JournalEntry): void {
    if (kind === 'invariant.violated') this.#add(to, container ?? instance ?? '', because);
    if (kind === 'worker.broke') this.#add('no worker breaks', instance ?? '', because);
  }

  report(rule: string, subject: string, what: string): void {
    this.#add(rule, subject, what);
    this.#world.note('simulation.violation', { because: `${rule}: ${what}` });
  }

  /** Nothing is left to be done: everything must be at rest. */
  atEnd(): void {
    const { containers, instances } = this.#world.ledger;
    for (const { uuid, state, finishedAtMs } of containers.values()) {
      if (finishedAtMs === undefined) this.report('every container ends', uuid, `it is still ${state}`);
    }
    for (const { id, endedAtMs } of instances.values()) {
      if (endedAtMs === undefined) this.report('every instance goes', id, 'it is still there');
    }
  }

  #add(rule: string, subject: string, what: string): void {
    this.violations.push({ atMs: this.#world.elapsedMs, rule, subject, what });
  }
}
