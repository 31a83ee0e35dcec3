import type { Violation } from './invariants.js';
import type { SteadyTime } from './monotonic-time.js';

/** What the queue waits for, as the daemon sees it: of the first container that something else than its owner holds up. */
export interface QueueSight {
  container: string;
  /** In one sentence. */
  reason: string;
  /** Epoch ms by which the wait ends or something is tried; `Infinity`: something is under way that ends it. */
  endsAt: number;
}

/** So long nothing moves before it is asked why; a busy machine and a slow store included. */
const quietMs = 300_000;

/** Whether the queue moves, or says what it waits for. */
export class QueueModel {
  readonly #time: SteadyTime;
  readonly #violated: (violation: Violation) => void;
  #movedAt: number | undefined;

  constructor(time: SteadyTime, violated: (violation: Violation) => void) {
    this.#time = time;
    this.#violated = violated;
  }

  /** A container began or ended, an instance was requested, came into service or went, or nothing was to be seen. */
  moved(at: number): void {
    this.#movedAt = this.#time.at(at);
  }

  /** About once a minute. `look` may cost as much as a pass: it is called only when nothing moved for minutes. */
  check(at: number, look: () => QueueSight | undefined): void {
    const now = this.#time.at(at);
    this.#movedAt ??= now;
    if (now - this.#movedAt <= quietMs) return;
    const sight = look();
    if (!sight) return this.moved(at);
    if (at <= sight.endsAt + quietMs) return;
    const { container, reason } = sight;
    const seconds = Math.round((now - this.#movedAt) / 1_000);
    const what = `nothing moved for ${seconds} s, and ${container} waits: ${reason}`;
    this.#violated({ invariant: 'stalled', at, what, container });
    this.moved(at);
  }
}
