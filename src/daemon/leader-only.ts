import type { Role } from '../domain/leadership-role.js';
import { QueueError } from '../queue/queue.js';

/** Says who can do what this daemon can not now. */
export function notLeading({ leader, fault, state }: Role): QueueError {
  const there = leader && state !== 'leading' ? `: ${leader.name} leads, at ${leader.url}` : '';
  const text = fault === undefined ? `this daemon stands by${there}` : `this daemon does not lead: ${fault}`;
  return new QueueError('superseded', text);
}

/** Stands for a part that is there only while this daemon leads. Using it otherwise throws what `missing` makes. */
export function whileLeading<Part extends object>(part: () => Part | undefined, missing: () => Error): Part {
  return new Proxy({} as Part, {
    get: (_target, key) => {
      const present = part();
      if (!present) throw missing();
      const value: unknown = Reflect.get(present, key);
      return typeof value === 'function' ? (value as () => unknown).bind(present) : value;
    },
  });
}
