import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { containerStates } from '../../src/domain/container.js';
import { QueueLine } from '../../src/policy/incremental-queue-order.js';
import { inOrder, type QueueOrder } from '../../src/policy/queue-order.js';
import { container, typeT } from '../support/scheduling-world.js';
import type { RunningView } from '../../src/domain/instance-view.js';
import type { QueueEntry } from '../../src/domain/queue-entry.js';

const change = fc.record({
  n: fc.nat(14),
  kind: fc.constantFrom('put', 'put', 'put', 'drop', 'run', 'end'),
  state: fc.constantFrom(...containerStates, 'Queued', 'Queued'),
  priority: fc.bigInt(0n, 3n),
  firstSeenAt: fc.nat(3),
});
const needs = { vcpus: 1, ramBytes: 0, scratchBytes: 0, gpus: 0, gpuVramBytes: 0 };
const numbers = (entries: readonly QueueEntry[]): number[] =>
  entries.map((entry) => Number(entry.container.uuid.slice(-15)));

it('is the same as if all were put in order anew, whatever changed since the last pass (SC-12)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(change, { maxLength: 6 }), fc.boolean()), { maxLength: 30 }),
      (passes) => {
        const line = new QueueLine();
        const entries = new Map<string, QueueEntry>();
        const running = new Map<string, RunningView>();
        for (const [changes, isKnown] of passes) {
          const changed = new Set<string>();
          for (const { n, kind, state, priority, firstSeenAt } of changes) {
            const each = container(n, { state, priority });
            if (kind === 'put')
              entries.set(each.uuid, { container: each, needs, instanceTypes: [typeT(1)], firstSeenAt });
            if (kind === 'drop') entries.delete(each.uuid);
            if (kind === 'run')
              running.set(each.uuid, { instanceId: 'i', phase: 'running', exitedAt: undefined });
            // The pool's part is not told as a change of the queue.
            if (kind === 'end') running.delete(each.uuid);
            if (kind === 'put' || kind === 'drop') changed.add(each.uuid);
          }
          const got = line.update(entries, new Map(running), isKnown ? changed : undefined);
          const wanted: QueueOrder = inOrder(entries, running);
          expect([numbers(got.entries), got.firstIdle]).toEqual([numbers(wanted.entries), wanted.firstIdle]);
          expect(got.entries.every((entry) => entries.get(entry.container.uuid) === entry)).toBe(true);
          expect(numbers(got.notable).sort()).toEqual(numbers(wanted.notable).sort());
        }
      },
    ),
    { numRuns: 300 },
  );
});
