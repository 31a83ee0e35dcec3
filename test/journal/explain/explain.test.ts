import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/journal/explain/explain.js';
import type { JournalEntry } from '../../../src/journal/journal.js';
import type { ContainerRecord } from '../../../src/queue/container-store.js';
import { containerOf } from '../../support/scripted-queue.js';
import { uuid1 } from '../../support/worker-world.js';

async function historyOf(entries: Omit<JournalEntry, 'at' | 'container'>[]): Promise<string[]> {
  const record: ContainerRecord = {
    ...containerOf(uuid1),
    name: '',
    command: ['x'],
    env: {},
    cwd: '',
    vcpus: 1,
    ramBytes: 0,
    maxRunTimeMs: 0,
    attempts: 2,
    maxAttempts: 3,
    lockCount: 2,
    instanceId: 'i-1',
    instanceTypeName: 'small',
    startedAt: undefined,
    finishedAt: undefined,
    exitCode: undefined,
    error: '',
    cost: undefined,
  };
  const journal = entries.map((entry, index) => ({ at: index, container: uuid1, ...entry }));
  const explanation = await explain(
    {
      now: () => 100,
      journal: { read: () => Promise.resolve(journal) },
      store: { find: () => Promise.resolve(record) },
      snapshot: () => undefined,
      chart: () => undefined,
      wait: () => undefined,
    },
    uuid1,
  );
  return explanation!.history.map(({ text }) => text);
}

const exited = (exitCode: number) => `it exited with status ${exitCode}`;

describe('the history of a container', () => {
  it('says of a retried attempt that it ended, and of the container only at its end that it is Complete', async () => {
    const history = await historyOf([
      { kind: 'container.started', instance: 'i-1', data: { attempt: 1 } },
      {
        kind: 'container.attempt-ended',
        instance: 'i-1',
        to: 'Queued',
        because: exited(75),
        data: { attempt: 1 },
      },
      { kind: 'container.started', instance: 'i-2', data: { attempt: 2 } },
      { kind: 'container.complete', instance: 'i-2', because: exited(0), data: { attempt: 2 } },
    ]);
    expect(history).toEqual([
      'It was started on i-1.',
      'Attempt 1 of it ended: it exited with status 75; it is retried.',
      'It was started on i-2 as attempt 2.',
      'It is Complete: it exited with status 0, in attempt 2.',
    ]);
  });

  it('reads a journal of version 0.1, which called each result of a retried container its end', async () => {
    const history = await historyOf([
      { kind: 'plan.lock', because: 'its turn came' },
      { kind: 'container.complete', because: exited(75), data: { exitCode: 75 } },
      { kind: 'plan.lock', because: 'its turn came' },
      { kind: 'container.started', instance: 'i-2' },
      { kind: 'container.complete', because: exited(0), data: { exitCode: 0 } },
    ]);
    expect(history[1]).toBe('An attempt of it ended: it exited with status 75; it is retried.');
    expect(history.at(-1)).toBe('It is Complete: it exited with status 0.');
  });

  it('tells of a late result after a cancel, and of a refused claim', async () => {
    const history = await historyOf([
      { kind: 'container.attempt-ended', to: 'Cancelled', because: exited(143), data: { attempt: 2 } },
      {
        kind: 'container.claim-refused',
        instance: 'i-9',
        because: 'it is of attempt 1',
        data: { what: 'result', attempt: 1 },
      },
    ]);
    expect(history).toEqual([
      'Attempt 2 of it ended after the cancellation: it exited with status 143.',
      'A result of it on i-9 was refused: it is of attempt 1.',
    ]);
  });
});
