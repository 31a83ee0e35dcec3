import type { IdleBehavior } from '../../../src/domain/instance.js';
import type { Deadlines } from '../exploring/deadlines.js';

const retryMs = 1_800;

/** What must be written to the tags of an instance (I-8, K-32): one write at a time, and the last wish stands in the end. */
export class TagsReference {
  readonly #deadlines: Deadlines;
  readonly #say: (record: string) => void;
  readonly #wish: () => IdleBehavior;
  /** What the cloud has, had before, and was last told to have. */
  #inCloud: string;
  #before: string;
  #written = '';
  /** What the daemon believes that the cloud has. */
  #believed: string;
  #state: 'resting' | 'writing' | 'pausing' = 'resting';

  constructor(tag: string, deadlines: Deadlines, say: (record: string) => void, wish: () => IdleBehavior) {
    this.#inCloud = tag;
    this.#before = tag;
    this.#believed = tag;
    this.#deadlines = deadlines;
    this.#say = say;
    this.#wish = wish;
  }

  wishMayDiffer(): void {
    if (this.#state === 'resting' && this.#believed !== this.#wish()) this.#write();
  }

  listed(isOld: boolean): void {
    this.#believed = isOld ? this.#before : this.#inCloud;
    this.wishMayDiffer();
  }

  answered(ok: boolean): void {
    if (ok) {
      this.#before = this.#inCloud;
      this.#inCloud = this.#written;
      this.#believed = this.#written;
      this.#state = 'resting';
      return this.wishMayDiffer();
    }
    this.#state = 'pausing';
    this.#deadlines.set('tags', retryMs, () => {
      this.#state = 'resting';
      this.wishMayDiffer();
    });
  }

  stop(): void {
    this.#deadlines.clear('tags');
    if (this.#state === 'writing') this.#say('x tags');
  }

  #write(): void {
    this.#state = 'writing';
    this.#written = this.#wish();
    this.#say(`> tags small ${this.#written} sha256:00`);
  }
}
