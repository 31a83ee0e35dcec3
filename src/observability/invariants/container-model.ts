import type { Violation } from './invariants.js';

/** Ended containers that are remembered; older ones are not watched any more. */
const longestMemory = 100_000;

/** Where containers are, and which of them ended for good. */
export class ContainerModel {
  readonly #violated: (violation: Violation) => void;
  readonly #places = new Map<string, Set<string>>();
  readonly #ended = new Map<string, string>();

  constructor(violated: (violation: Violation) => void) {
    this.#violated = violated;
  }

  /** The container has, or may have, a process on the instance from now on. `isGiven`: the daemon put it there. */
  isAt(container: string, instance: string, at: number, isGiven: boolean): void {
    const places = this.#places.get(container) ?? new Set();
    this.#places.set(container, places.add(instance));
    if (places.size > 1) {
      const what = `${container} is on ${[...places].join(' and ')} at once`;
      this.#violated({ invariant: 'one-place', at, what, instance, container });
    }
    const ended = this.#ended.get(container);
    if (ended === undefined || !isGiven) return;
    const what = `${container} is ${ended} and was given to ${instance}`;
    this.#violated({ invariant: 'no-second-run', at, what, instance, container });
  }

  left(container: string, instance: string): void {
    const places = this.#places.get(container);
    places?.delete(instance);
    if (places?.size === 0) this.#places.delete(container);
  }

  /** The queue says that it is over. Being told so again by the same word is no second end. */
  ended(container: string, state: 'Complete' | 'Cancelled', at: number): void {
    const before = this.#ended.get(container);
    if (before === 'Complete' && state === 'Cancelled') {
      const what = `${container} was Complete and became Cancelled`;
      this.#violated({ invariant: 'no-second-run', at, what, container });
    }
    this.#ended.delete(container);
    this.#ended.set(container, state);
    if (this.#ended.size > longestMemory) this.#ended.delete(this.#ended.keys().next().value!);
  }
}
