import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { systemClock, type Clock } from '../../../src/domain/clock.js';
import { noConstraints } from '../../../src/domain/container.js';
import { StoreJournal } from '../../../src/journal/store-journal.js';
import type { ContainerRecord, ContainerRequest } from '../../../src/queue/container-store.js';
import type { RecordedConduct } from '../../../src/domain/conduct-view.js';
import type { PinnedHostKey } from '../../../src/domain/host-key.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { readDriverRecord, writeDriverRecord } from '../../../src/queue/store/driver-records.js';
import { OutputKeeper } from '../../../src/queue/store/output-retention.js';
import { SqlContainerStore } from '../../../src/queue/store/sql-container-store.js';
import { StoredConduct } from '../../../src/queue/store/stored-conduct.js';
import { StoredHostKeys } from '../../../src/queue/store/stored-host-keys.js';
import type { StoreTarget } from '../../../src/queue/store/store-url.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import { smallType } from '../../support/worker-world.js';
import type { ContainerResult } from '../../../src/domain/container-work.js';
import type { Store } from '../../../src/queue/store/schema.js';

export const request: ContainerRequest = {
  name: 'test',
  command: ['true'],
  env: { A: 'b' },
  image: '',
  cwd: '',
  constraints: noConstraints,
  scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
  tmpMountBytes: 0,
  priority: 1n,
  maxAttempts: 2,
  idempotencyKey: '',
};
const needs = { vcpus: 1, ramBytes: 0, scratchBytes: 0, gpus: 0, gpuVramBytes: 0 };
export const placement = { instanceId: 'i-1', instanceTypeName: 'small', pricePerHour: 3.6 };
const result = { exitCode: 0, startedAt: 1_000, finishedAt: 11_000, note: '', stdout: 'o', stderr: 'e' };
/** A report of the first attempt, or of a later one. */
const from = (attempt = 1, instanceId = placement.instanceId) => ({ instanceId, attempt });

/** Where the suite gets empty databases from. */
export interface StoreSource {
  /** Skips the test, with the reason, when there can be none. */
  begin(context: TestContext): Promise<void>;
  /** A new, empty one. */
  create(): Promise<StoreTarget>;
  remove(): Promise<void>;
  end(): Promise<void>;
}

export interface OpenStoreOptions {
  misfit?(): string | undefined;
  writer?: string;
  patienceMs?: number;
}

/** A store on the database as the daemon has it. */
export function storeOn(
  db: Store,
  { misfit, writer = 'test', patienceMs = 2_000 }: OpenStoreOptions = {},
): SqlContainerStore {
  return new SqlContainerStore({
    db,
    clock: systemClock,
    clusterId: 'zzzzz',
    randomBytes: () => randomBytes(15),
    size: () => {
      const reason = misfit?.();
      return reason === undefined ? { needs, instanceTypes: [smallType] } : { needs, unsatisfiable: reason };
    },
    maxDispatchAttempts: 2,
    writer,
    patienceMs,
    onFault: (uuid, error) => {
      throw new Error(uuid, { cause: error });
    },
  });
}

/** What every container store promises, whatever database it is on. */
export function storeContract(name: string, source: StoreSource): void {
  describe(`the container store on ${name}`, () => {
    let target: StoreTarget;
    let db: Store;
    let store: SqlContainerStore;
    let misfit: string | undefined;

    const open = async (): Promise<void> => {
      db = await openDatabase(target);
      store = storeOn(db, { misfit: () => misfit });
      await store.update();
    };

    beforeEach(async (context) => {
      await source.begin(context);
      misfit = undefined;
      target = await source.create();
      await open();
    });
    afterEach(async () => {
      await store?.stop();
      await db?.destroy();
      await source.remove();
    });
    afterAll(() => source.end());

    const submit = async (change: Partial<ContainerRequest> = {}): Promise<string> =>
      (await store.submit([{ ...request, ...change }]))[0]!.uuid;

    it('refuses to unlock what is Queued (T-1, CR-13)', async () => {
      const uuid = await submit();
      await expect(store.unlock(uuid)).rejects.toThrow('cannot unlock when Queued');
      expect(store.get(uuid)?.state).toBe('Queued');
    });

    it('shows a lock at once and refuses a second one (T-2, Q-40, Q-43)', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      expect(store.get(uuid)?.state).toBe('Locked');
      await expect(store.lock(uuid)).rejects.toMatchObject({ code: 'conflict' });
    });

    it('unlocks what is Locked, once (T-3, Q-41)', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.unlock(uuid);
      expect(store.get(uuid)?.state).toBe('Queued');
      await expect(store.unlock(uuid)).rejects.toMatchObject({ code: 'conflict' });
    });

    it('never locks what was cancelled (T-4, Q-42, CR-13)', async () => {
      const uuid = await submit();
      await store.cancel(uuid, 'by test');
      expect(store.get(uuid)?.state).toBe('Cancelled');
      await expect(store.lock(uuid)).rejects.toMatchObject({ code: 'conflict' });
    });

    it('cancels at the unlock that used up its attempts (T-22, CR-15)', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.unlock(uuid);
      await store.lock(uuid);
      await store.unlock(uuid);
      expect(await store.find(uuid)).toMatchObject({ state: 'Cancelled', lockCount: 2 });
    });

    it('charges no dispatch attempt for a lock that is given up for no fault of the container (CR-15, CR-16)', async () => {
      const uuid = await submit();
      for (let each = 0; each < 5; each++) {
        await store.lock(uuid);
        await store.unlock(uuid, { isUncounted: true });
      }
      expect(await store.find(uuid)).toMatchObject({ state: 'Queued', lockCount: 0 });
      await store.lock(uuid);
      await store.unlock(uuid);
      expect(await store.find(uuid)).toMatchObject({ state: 'Queued', lockCount: 1 });
      await store.lock(uuid);
      await store.unlock(uuid, { isUncounted: true });
      await store.lock(uuid);
      await store.unlock(uuid);
      expect(await store.find(uuid)).toMatchObject({ state: 'Cancelled', lockCount: 2 });
    });

    it('forgets only what is final or Queued with priority 0 (T-16, Q-7)', async () => {
      const [running, locked, queued, idle, complete, cancelled] = (
        await store.submit([request, request, request, { ...request, priority: 0n }, request, request])
      ).map(({ uuid }) => uuid) as [string, string, string, string, string, string];
      for (const uuid of [running, locked, complete]) await store.lock(uuid);
      for (const uuid of [running, complete]) await store.started(uuid, placement, 1);
      const result = { exitCode: 0, startedAt: 1, finishedAt: 2, note: '', stdout: '', stderr: '' };
      await store.complete(complete, result, from());
      await store.cancel(cancelled, 'x');
      for (const uuid of [running, locked, queued, idle, complete, cancelled]) store.forget(uuid);
      expect([...store.entries().entries.keys()].sort()).toEqual([running, locked, queued].sort());
    });

    it('tells listeners once of many changes (T-23, Q-8)', async () => {
      let calls = 0;
      store.subscribe(() => calls++);
      const before = calls;
      await Promise.all([store.update(), store.update(), store.update()]);
      expect(calls - before).toBeLessThanOrEqual(3);
      expect(calls).toBeGreaterThan(0);
    });

    it('hears nothing of an earlier attempt that was lost elsewhere, once the next one runs', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      await store.lost(uuid, 'its supervisor was killed', from(1, `not ${placement.instanceId}`));
      expect((await store.find(uuid))?.state).toBe('Running');
      await store.lost(uuid, 'its supervisor was killed', from());
      expect((await store.find(uuid))?.state).toBe('Queued');
    });

    it('gives a lost container back until its attempts are used up', async () => {
      const uuid = await submit();
      for (const state of ['Queued', 'Cancelled']) {
        await store.lock(uuid);
        await store.started(uuid, placement, 1);
        await store.lost(uuid, 'its instance is gone');
        expect((await store.find(uuid))?.state).toBe(state);
      }
    });

    it('takes back an attempt that ran nothing: it is not charged, and costs nothing', async () => {
      const uuid = await submit({ maxAttempts: 1 });
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      await store.revertStart(uuid, { instanceId: `not ${placement.instanceId}`, reason: 'disk full' });
      expect((await store.find(uuid))?.state).toBe('Running');
      await store.revertStart(uuid, { instanceId: placement.instanceId, reason: 'disk full' });
      expect(await store.find(uuid)).toMatchObject({
        state: 'Queued',
        attempts: 0,
        lockCount: 0,
        startedAt: undefined,
        cost: undefined,
        error: `it could not be started on ${placement.instanceId}: disk full`,
      });
      await store.lock(uuid);
      await store.started(uuid, { ...placement, instanceId: 'i-2' }, 2);
      expect(await store.find(uuid)).toMatchObject({ state: 'Running', attempts: 1, instanceId: 'i-2' });
      await store.lost(uuid, 'its instance is gone');
      expect(await store.find(uuid)).toMatchObject({
        state: 'Cancelled',
        error: 'its instance is gone; attempt 1 of 1',
      });
    });

    it('takes back an attempt that ran on an instance at fault: it is not charged, and its cost counts', async () => {
      const uuid = await submit({ maxAttempts: 1 });
      const { instanceId, pricePerHour } = placement;
      await store.lock(uuid);
      await store.started(uuid, placement, Date.now() - 3_600_000);
      await store.revertStart(uuid, { instanceId, attempt: 1, reason: 'it lied', hasRun: true });
      const record = (await store.find(uuid))!;
      expect(record).toMatchObject({
        state: 'Queued',
        attempts: 0,
        error: `its attempt on ${instanceId} is not charged: it lied`,
      });
      expect(record.cost).toBeCloseTo(pricePerHour, 3);
    });

    it('never uses the number of an attempt that ran nothing again', async () => {
      const uuid = await submit();
      const numbers: unknown[] = [];
      for (const reason of ['disk full', 'no inodes', 'gone']) {
        await store.lock(uuid);
        await store.started(uuid, placement, 1);
        const { attempts } = await db
          .selectFrom('containers')
          .select('attempts')
          .where('uuid', '=', uuid)
          .executeTakeFirstOrThrow();
        numbers.push(Number(attempts));
        await store.revertStart(uuid, { instanceId: placement.instanceId, reason });
      }
      expect(numbers).toEqual([1, 2, 3]);
    });

    it('pauses longer between starts that fail, and cancels the container after ten of them', async () => {
      const uuid = await submit();
      for (const [index, pause] of [0, 0, 5, 10, 20, 40, 80, 160, 300, 0].entries()) {
        const failed = index + 1;
        await store.lock(uuid);
        await store.started(uuid, placement, 1);
        const before = Date.now();
        await store.revertStart(uuid, { instanceId: placement.instanceId, reason: `failure ${failed}` });
        const decidedAt = ((await store.find(uuid))!.scheduling.notBeforeAt ?? before) - pause * 1_000;
        if (pause === 0) continue;
        expect(decidedAt).toBeGreaterThanOrEqual(before);
        expect(decidedAt).toBeLessThanOrEqual(Date.now());
      }
      expect(await store.find(uuid)).toMatchObject({
        state: 'Cancelled',
        error: `it could not be started on ${placement.instanceId}: failure 10; 10 starts failed`,
      });
      expect((await store.find(uuid))!.cost).toBeUndefined();
    });

    it('tries exit codes again that its policy names, after growing pauses, while attempts remain', async () => {
      const retry = { exitCodes: [75], delayMs: 60_000 };
      const uuid = await submit({ maxAttempts: 3, scheduling: { ...request.scheduling, retry } });
      const attempt = async (exitCode: number): Promise<[string | undefined, number]> => {
        const before = Date.now();
        await store.lock(uuid);
        const number = await store.started(uuid, placement, 1);
        await store.complete(uuid, { ...result, exitCode }, from(number));
        const { notBeforeAt = before } = store.get(uuid)!.scheduling;
        return [(await store.find(uuid))?.state, Math.round((notBeforeAt - before) / 60_000)];
      };
      expect(await attempt(75)).toEqual(['Queued', 1]);
      expect((await store.find(uuid))?.error).toBe('attempt 1 of 3 exited with 75');
      expect(await attempt(75)).toEqual(['Queued', 2]);
      expect((await attempt(75))[0]).toBe('Complete');
      expect((await store.find(uuid))?.exitCode).toBe(75);
    });

    it('does not try again what its policy does not name, what succeeded, or what took too long', async () => {
      const end = async (exitCodes: 'any' | number[], change: Partial<ContainerResult>): Promise<string> => {
        const retry = { exitCodes, delayMs: 0 };
        const uuid = await submit({ scheduling: { ...request.scheduling, retry } });
        await store.lock(uuid);
        await store.started(uuid, placement, 1);
        await store.complete(uuid, { ...result, ...change }, from());
        return (await store.find(uuid))!.state;
      };
      expect(await end('any', { exitCode: 1 })).toBe('Queued');
      expect(await end([75], { exitCode: 1 })).toBe('Complete');
      expect(await end('any', { exitCode: 0 })).toBe('Complete');
      expect(await end('any', { exitCode: 143, timedOut: true })).toBe('Complete');
    });

    it('keeps times of a run between its start and now, and costs with them, whatever its result says', async () => {
      const end = async (
        times: Pick<ContainerResult, 'startedAt' | 'finishedAt'>,
      ): Promise<ContainerRecord> => {
        const uuid = await submit();
        await store.lock(uuid);
        await store.started(uuid, placement, beganAt);
        await store.complete(uuid, { ...result, ...times }, from());
        return (await store.find(uuid))!;
      };
      const beganAt = Date.now() - 10_000;
      const early = await end({ startedAt: 1, finishedAt: 2 });
      expect(early).toMatchObject({ startedAt: beganAt, finishedAt: beganAt, cost: 0 });
      const late = await end({ startedAt: beganAt + 1, finishedAt: 9_000_000_000_000 });
      expect(late.startedAt).toBe(beganAt + 1);
      expect(late.finishedAt).toBeLessThanOrEqual(Date.now());
      expect(late.cost).toBeLessThan((60_000 / 3_600_000) * placement.pricePerHour);
    });

    it('cancels in every state but the final ones', async () => {
      const [queued, locked, running, complete] = [
        await submit(),
        await submit(),
        await submit(),
        await submit(),
      ];
      for (const uuid of [locked, running, complete]) await store.lock(uuid);
      for (const uuid of [running, complete]) await store.started(uuid, placement, 1);
      await store.complete(complete, result, from());
      for (const uuid of [queued, locked, running]) {
        await store.cancel(uuid, 'not wanted');
        expect(await store.find(uuid)).toMatchObject({ state: 'Cancelled', error: 'not wanted' });
        expect(store.get(uuid)?.state).toBe('Cancelled');
        await expect(store.started(uuid, placement, 2)).rejects.toMatchObject({ code: 'conflict' });
        await store.lost(uuid, 'late');
        expect((await store.find(uuid))?.state).toBe('Cancelled');
      }
      await expect(store.cancel(complete, 'late')).rejects.toMatchObject({ code: 'conflict' });
    });

    it('passes over a late result of an attempt that was given up', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      await store.lost(uuid, 'its instance is gone');
      const result = { exitCode: 1, startedAt: 1, finishedAt: 2, note: '', stdout: 'first', stderr: '' };
      await store.complete(uuid, result, from());
      expect(await store.find(uuid)).toMatchObject({ state: 'Queued', exitCode: undefined });
      await store.lock(uuid);
      await store.started(uuid, placement, 3);
      await store.complete(uuid, { ...result, exitCode: 0, stdout: 'second' }, from(2));
      expect(await store.find(uuid)).toMatchObject({ state: 'Complete', exitCode: 0 });
    });

    it('numbers attempts from 1, in the cache too, and never uses a number twice', async () => {
      const uuid = await submit({ maxAttempts: 3 });
      expect(store.get(uuid)).toMatchObject({ attempt: 0, instanceId: '' });
      for (const number of [1, 2, 3]) {
        await store.lock(uuid);
        expect(await store.started(uuid, placement, 1)).toBe(number);
        expect(store.get(uuid)).toMatchObject({ attempt: number, instanceId: placement.instanceId });
        await store.lost(uuid, 'its instance is gone');
      }
      expect(store.get(uuid)).toMatchObject({ attempt: 3, state: 'Cancelled' });
    });

    it('refuses the result of a killed attempt for the next one, also under a new id of its instance', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      await store.lost(uuid, 'its instance is gone');
      const killed = { ...result, exitCode: 143, stdout: 'killed' };
      const late = await store.complete(uuid, killed, from(1));
      expect(late).toEqual({ kind: 'refused', because: 'attempt 1 is over, and another one follows' });
      await store.lock(uuid);
      const locked = await store.complete(uuid, killed, from(1));
      expect([locked.kind, (await store.find(uuid))?.state]).toEqual(['refused', 'Locked']);
      await store.started(uuid, { ...placement, instanceId: 'i-2' }, 3);
      for (const origin of [from(1), from(1, 'i-2'), from(2), from(3, 'i-2')]) {
        const verdict = await store.complete(uuid, killed, origin);
        expect([origin, verdict.kind]).toEqual([origin, 'refused']);
        await store.lost(uuid, 'its supervisor was killed', origin);
      }
      expect(await store.find(uuid)).toMatchObject({ state: 'Running', exitCode: undefined });
      const own = await store.complete(uuid, result, from(2, 'i-2'));
      expect(own).toEqual({ kind: 'taken', state: 'Complete', attempt: 2 });
      expect(await store.output(uuid)).toMatchObject({ stdout: 'o' });
      expect(await store.complete(uuid, result, from(2, 'i-2'))).toEqual({ kind: 'known' });
      expect((await store.complete(uuid, killed, from(1))).kind).toBe('refused');
    });

    it('takes a result without an attempt number only from the instance that has the container', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      const of = (instanceId: string) => ({ instanceId, attempt: undefined });
      expect(await store.complete(uuid, result, of('i-2'))).toMatchObject({ kind: 'refused' });
      expect((await store.find(uuid))?.state).toBe('Running');
      expect(await store.complete(uuid, result, of('i-1'))).toMatchObject({ kind: 'taken' });
    });

    it('refuses the result of a container that was never started', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      const verdict = await store.complete(uuid, result, from(1));
      expect(verdict).toEqual({ kind: 'refused', because: 'the container was never started' });
      await store.cancel(uuid, 'not wanted');
      expect((await store.complete(uuid, result, from(1))).kind).toBe('refused');
      expect((await store.find(uuid))?.exitCode).toBeUndefined();
    });

    it('keeps the late result of the last attempt of a cancelled container, and of no other', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      await store.lost(uuid, 'its instance is gone');
      await store.lock(uuid);
      await store.started(uuid, placement, 2);
      await store.cancel(uuid, 'not wanted');
      expect((await store.complete(uuid, { ...result, exitCode: 1 }, from(1))).kind).toBe('refused');
      const verdict = await store.complete(uuid, { ...result, exitCode: 2 }, from(2));
      expect(verdict).toEqual({ kind: 'taken', state: 'Cancelled', attempt: 2 });
      expect(await store.find(uuid)).toMatchObject({ state: 'Cancelled', exitCode: 2 });
    });

    it('adds up what all attempts cost, those that were lost, tried again or cancelled included', async () => {
      const second = 1_000;
      const now = Date.now();
      const retry = { exitCodes: [75], delayMs: 0 };
      const uuid = await submit({ maxAttempts: 4, scheduling: { ...request.scheduling, retry } });
      const cents = async (): Promise<number> =>
        Math.round(100_000 * ((await store.find(uuid))?.cost ?? -1)) / 1_000;
      const begin = async (at: number): Promise<void> => {
        await store.lock(uuid);
        await store.started(uuid, placement, at);
      };
      const result = { exitCode: 75, startedAt: now - 60 * second, note: '', stdout: '', stderr: '' };
      expect(await cents()).toBe(-100);
      await begin(now - 60 * second);
      await store.complete(uuid, { ...result, finishedAt: now - 50 * second }, from(1));
      expect(await cents()).toBe(1);
      await begin(now);
      await store.lost(uuid, 'its instance is gone');
      const lost = await cents();
      expect(lost).toBeGreaterThanOrEqual(1);
      // Its result, come too late, is of what was counted.
      await store.complete(uuid, { ...result, startedAt: now, finishedAt: now + 500 * second }, from(2));
      expect(await cents()).toBe(lost);
      await begin(now - 40 * second);
      await store.cancel(uuid, 'not wanted');
      expect(await cents()).toBeGreaterThanOrEqual(lost + 4);
      // When it really ended takes the place of when it was cancelled.
      await store.complete(
        uuid,
        { ...result, startedAt: now - 40 * second, finishedAt: now - 20 * second },
        from(3),
      );
      expect(await cents()).toBeCloseTo(lost + 2, 2);
      await store.complete(uuid, { ...result, startedAt: now - 40 * second, finishedAt: now }, from(3));
      expect(await cents()).toBeCloseTo(lost + 2, 2);
    });

    it('keeps the result, the output and the cost, once', async () => {
      const uuid = await submit();
      await store.lock(uuid);
      await store.started(uuid, placement, 1_000);
      const result = {
        exitCode: 3,
        startedAt: 1_000,
        finishedAt: 11_000,
        note: '',
        stdout: 'o',
        stderr: 'e',
      };
      await store.complete(uuid, result, from());
      await store.complete(uuid, { ...result, exitCode: 9 }, from());
      expect(await store.find(uuid)).toMatchObject({ state: 'Complete', exitCode: 3, cost: 0.01 });
      expect(await store.output(uuid)).toEqual({ stdout: 'o', stderr: 'e' });
    });

    it('counts containers that ended with another exit code than 0 as failed, among those that are complete', async () => {
      expect(await store.failed()).toBe(0);
      for (const exitCode of [0, 127, 1]) {
        const uuid = await submit();
        await store.lock(uuid);
        await store.started(uuid, placement, 1_000);
        const times = { startedAt: 1_000, finishedAt: 2_000 };
        await store.complete(uuid, { exitCode, ...times, note: '', stdout: '', stderr: '' }, from());
      }
      expect([await store.failed(), (await store.counts()).Complete]).toEqual([2, 3]);
    });

    it('cancels what fits nowhere, with the reason (Q-23, Q-25)', async () => {
      misfit = 'too large for all';
      const uuid = await submit();
      expect(await store.find(uuid)).toMatchObject({ state: 'Cancelled', error: 'too large for all' });
      expect(store.entries().entries.size).toBe(0);
    });

    it('makes one container of two requests with the same key', async () => {
      const first = await submit({ idempotencyKey: 'k' });
      expect(await submit({ idempotencyKey: 'k' })).toBe(first);
      const [a, b] = await store.submit([
        { ...request, idempotencyKey: 'x' },
        { ...request, idempotencyKey: 'x' },
      ]);
      expect(a!.uuid).toBe(b!.uuid);
    });

    it('keeps priorities beyond 2^53 apart (CR-6)', async () => {
      const low = await submit({ priority: 562948375092493200n });
      const high = await submit({ priority: 562948375092493201n });
      const negative = await submit({ priority: -5n });
      await store.update();
      expect([low, high, negative].map((uuid) => store.get(uuid)?.priority)).toEqual([
        562948375092493200n,
        562948375092493201n,
        -5n,
      ]);
    });

    it('lists by pages and filters', async () => {
      await store.submit(
        Array.from({ length: 250 }, (_, index) => ({ ...request, name: index % 2 ? 'odd' : 'even' })),
      );
      const seen = new Set<string>();
      let after: string | undefined;
      do {
        const page = await store.list({ limit: 60, name: 'odd', ...(after === undefined ? {} : { after }) });
        for (const { uuid } of page.items) seen.add(uuid);
        after = page.next;
      } while (after !== undefined);
      expect(seen.size).toBe(125);
      expect((await store.counts()).Queued).toBe(250);
      await expect(store.list({ limit: 1, after: "x' or 1" })).rejects.toMatchObject({ code: 'invalid' });
    });

    it('has all that was acknowledged after it was opened again', async () => {
      const [queued, running] = [await submit(), await submit()];
      await store.lock(running);
      await store.started(running, placement, 5);
      await db.destroy();
      await open();
      expect(store.get(queued)?.state).toBe('Queued');
      expect(store.get(running)?.state).toBe('Running');
      expect(await store.find(running)).toMatchObject({ instanceId: 'i-1', attempts: 1 });
    });

    it('takes ten thousand in one request', async () => {
      const records = await store.submit(Array.from({ length: 10_000 }, () => request));
      expect(new Set(records.map(({ uuid }) => uuid)).size).toBe(10_000);
      expect(store.entries().entries.size).toBe(10_000);
    });

    it('journals in batches and finds entries by instance', async () => {
      const options = { db, clock: systemClock, flushMs: 10, maxEntries: 1_000_000 };
      const journal = new StoreJournal({ ...options, onFault: (error) => expect.fail(String(error)) });
      for (let index = 0; index < 1_200; index++) {
        journal.append({ at: index, kind: 'test', instance: `i-${index % 3}`, because: 'x' });
      }
      expect((await journal.read({ instance: 'i-1' })).length).toBe(400);
      await journal.recordIntent({ secretFingerprint: 'f', instanceType: 'small', at: 1 });
      expect(await journal.openIntents()).toEqual([{ secretFingerprint: 'f', instanceType: 'small', at: 1 }]);
      await journal.settleIntent('f', 'created i-1');
      expect(await journal.openIntents()).toEqual([]);
    });

    it('journals in order what is hard to quote, and refuses nothing but what is far too long', async () => {
      const faults: string[] = [];
      const options = { db, clock: systemClock, flushMs: 10, maxEntries: 1_000_000 };
      const journal = new StoreJournal({ ...options, onFault: (error) => faults.push(String(error)) });
      const texts = ["it's", '’', '\ud800', 'a\0b', '\\u0000', '"', '\n', '--', '🙂', '’'.repeat(100_000)];
      for (const [at, because] of texts.entries())
        journal.append({ at, kind: "o'dd", instance: 'ü', because });
      journal.append({ at: 0, kind: 'long', because: 'x'.repeat(1_000_000) });
      for (let at = 10; at < 20; at++) journal.append({ at, kind: "o'dd", because: '🙂'.repeat(50_000) });
      const entries = await journal.read({ kind: "o'dd" });
      expect(entries.map(({ at }) => at)).toEqual(Array.from({ length: 20 }, (_, at) => at));
      expect((await journal.read({ instance: 'ü' })).map(({ because }) => because)).toEqual(texts);
      expect(faults).toEqual([expect.stringContaining('characters')]);
    });

    it('makes many changes at once in the order of their containers, each durable by itself', async () => {
      const uuids = (await store.submit(Array.from({ length: 300 }, () => request))).map(({ uuid }) => uuid);
      const whole = uuids.map(async (uuid, index) => {
        await store.lock(uuid);
        await store.started(uuid, placement, 1);
        await store.complete(uuid, { ...result, exitCode: index }, from());
      });
      await Promise.all(whole);
      await db.destroy();
      await open();
      const codes = await Promise.all(uuids.map(async (uuid) => (await store.find(uuid))?.exitCode));
      expect(codes).toEqual(uuids.map((_, index) => index));
    });

    it('refuses one of many changes without harm to the others (CR-11)', async () => {
      const [good, bad] = (await store.submit([request, request])).map(({ uuid }) => uuid) as [
        string,
        string,
      ];
      const outcomes = await Promise.allSettled([
        store.lock(good),
        store.unlock(bad),
        store.lock('zzzzz-dz642-none'),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
      expect((await store.find(good))?.state).toBe('Locked');
    });

    it('never gives two writers the same revision', async () => {
      const others = [storeOn(db, { writer: 'a' }), storeOn(db, { writer: 'b' })];
      const all = await Promise.all(
        [store, ...others].flatMap((each) => Array.from({ length: 20 }, () => each.submit([request]))),
      );
      await Promise.all(all.map(([record], index) => others[index % 2]!.setPriority(record!.uuid, 7n)));
      const rows = await db.selectFrom('containers').select('revision').execute();
      expect(new Set(rows.map(({ revision }) => revision)).size).toBe(60);
      for (const each of others) await each.stop();
    });

    it('keeps what text columns do not hold: zero bytes and halves of characters', async () => {
      const uuid = await submit({ env: { A: '\ud800' } });
      await store.lock(uuid);
      await store.started(uuid, placement, 1);
      await store.complete(
        uuid,
        { ...result, note: 'a\0b\ud800', stdout: 'x\0y', stderr: 'z\udc00' },
        from(),
      );
      expect(await store.output(uuid)).toEqual({ stdout: 'x\0y', stderr: 'z\ufffd' });
      expect((await store.find(uuid))?.error).toBe('a\ufffdb\ufffd');
    });

    it('keeps the record of a driver, each version written once', async () => {
      expect(await readDriverRecord(db, 'static')).toEqual({ text: undefined, version: 0 });
      const write = (text: string, version: number) => writeDriverRecord(db, 'static', { text, version });
      expect((await Promise.all([write('a', 0), write('a', 0)])).sort()).toEqual([false, true]);
      expect(await write('b', 0)).toBe(false);
      expect((await Promise.all([write('c', 1), write('c', 1)])).sort()).toEqual([false, true]);
      expect(await readDriverRecord(db, 'static')).toEqual({ text: 'c', version: 2 });
      expect(await write('d', 1)).toBe(false);
      expect(await readDriverRecord(db, 'exec')).toEqual({ text: undefined, version: 0 });
    });

    it('lets go of output that is too old, and of nothing else', async () => {
      const clock = new HeapClock(100_000);
      const ended = async (finishedAt: number): Promise<string> => {
        const uuid = await submit();
        await store.lock(uuid);
        await store.started(uuid, placement, 1);
        await store.complete(uuid, { ...result, finishedAt }, from());
        return uuid;
      };
      const [old, young] = [await ended(39_999), await ended(40_000)];
      const faults: unknown[] = [];
      const onFault = (error: unknown): void => void faults.push(error);
      const keeper = new OutputKeeper({ db, clock, maxAgeMs: 60_000, onFault });
      expect(await keeper.trim()).toBe(1);
      expect([await store.output(old), await store.output(young)]).toEqual([
        undefined,
        { stdout: 'o', stderr: 'e' },
      ]);
      expect((await store.find(old))?.exitCode).toBe(0);
      keeper.start();
      await clock.advance(3_600_000);
      await expect.poll(() => store.output(young)).toBeUndefined();
      await keeper.stop();
      expect([faults, clock.pending]).toEqual([[], 0]);
    });

    const pinOf = (instanceId: string, change: Partial<PinnedHostKey> = {}): PinnedHostKey => ({
      instanceId,
      type: 'ssh-ed25519',
      fingerprint: 'SHA256:a',
      pinnedAt: 1_700_000_000_000,
      isFinal: false,
      refused: undefined,
      ...change,
    });
    const hostKeys = (clock: Clock = systemClock, onFault: (error: unknown) => void = failTest) =>
      new StoredHostKeys({ db, clock, onFault });
    const failTest = (error: unknown): void => {
      throw error;
    };

    it('keeps host keys of instances for the next daemon, until the instance is gone', async () => {
      const first = hostKeys();
      for (let n = 0; n < 450; n++) first.keep(pinOf(`i-${n}`));
      first.keep(pinOf('i-3', { isFinal: true, refused: { type: 'ssh-rsa', fingerprint: 'SHA256:b' } }));
      first.gone('i-4');
      await first.stop();
      const next = hostKeys();
      const known = await next.load();
      await next.stop();
      expect([known.size, known.get('i-3'), known.get('i-4'), known.get('i-5')]).toEqual([
        449,
        pinOf('i-3', { isFinal: true, refused: { type: 'ssh-rsa', fingerprint: 'SHA256:b' } }),
        undefined,
        pinOf('i-5'),
      ]);
    });

    it('keeps strikes and quarantines of instances for the next daemon, until the instance is gone', async () => {
      const conductOf = (instanceId: string): RecordedConduct => ({
        instanceId,
        strikes: { claim: 3, 'host-key': 1 },
        claimsRefused: 5,
        quarantine: { at: 1_700_000_000_000, because: 'it named "10.000" containers — that’s too many' },
      });
      const first = new StoredConduct({ db, clock: systemClock, onFault: failTest });
      for (const id of ['i-1', 'i-2', 'i-3']) first.keep(conductOf(id));
      first.keep({ ...conductOf('i-2'), quarantine: undefined });
      first.gone('i-3');
      await first.stop();
      const next = new StoredConduct({ db, clock: systemClock, onFault: failTest });
      const known = await next.load();
      await next.stop();
      expect([known.size, known.get('i-1'), known.get('i-2')]).toEqual([
        2,
        conductOf('i-1'),
        { ...conductOf('i-2'), quarantine: undefined },
      ]);
    });

    it('takes no host key of a daemon that leads no more, and those of the one that does', async () => {
      const [old, leader] = [hostKeys(), hostKeys()];
      old.lead(1);
      leader.lead(2);
      await db.updateTable('leadership').set({ epoch: 2 }).where('id', '=', 1).execute();
      leader.keep(pinOf('i-1', { fingerprint: 'SHA256:accepted' }));
      await leader.stop();
      old.keep(pinOf('i-1', { fingerprint: 'SHA256:late' }));
      old.gone('i-1');
      await old.stop();
      const next = hostKeys();
      expect((await next.load()).get('i-1')?.fingerprint).toBe('SHA256:accepted');
      await next.stop();
    });

    it('takes host keys later when it does not at first, with one report of the fault', async () => {
      const faults: unknown[] = [];
      const clock = new HeapClock(1_700_000_000_000);
      const keys = hostKeys(clock, (error) => faults.push(error));
      await db.schema.alterTable('host_keys').renameTo('aside').execute();
      keys.keep(pinOf('i-1', { fingerprint: 'SHA256:first' }));
      await expect.poll(() => clock.pending).toBe(1);
      keys.keep(pinOf('i-1', { fingerprint: 'SHA256:second' }));
      keys.keep(pinOf('i-2'));
      await clock.advance(1_000);
      await expect.poll(() => clock.pending).toBe(1);
      expect(faults).toHaveLength(1);
      await db.schema.alterTable('aside').renameTo('host_keys').execute();
      await clock.advance(1_000);
      await keys.stop();
      const known = await hostKeys(clock).load();
      expect(
        [...known.values()].map(({ instanceId, fingerprint }) => [instanceId, fingerprint]).sort(),
      ).toEqual([
        ['i-1', 'SHA256:second'],
        ['i-2', 'SHA256:a'],
      ]);
      expect(faults).toHaveLength(1);
    });

    it('drops host keys that no daemon looked after for a month, an hour after the next one began', async () => {
      const day = 86_400_000;
      const first = hostKeys(new HeapClock(1_700_000_000_000));
      for (const id of ['left', 'there']) first.keep(pinOf(id));
      await first.stop();
      const clock = new HeapClock(1_700_000_000_000 + 31 * day);
      const next = hostKeys(clock);
      expect([...(await next.load()).keys()].sort()).toEqual(['left', 'there']);
      next.keep(pinOf('there'));
      await clock.advance(3_600_000);
      const rows = async () =>
        (await db.selectFrom('host_keys').select('instance_id').execute()).map((row) => row.instance_id);
      await expect.poll(rows).toEqual(['there']);
      await next.stop();
      expect(clock.pending).toBe(0);
    });

    it('passes over a damaged row, and names it', async () => {
      const [damaged, whole] = [await submit(), await submit()];
      await db.updateTable('containers').set({ constraints: '{' }).where('uuid', '=', damaged).execute();
      const faults: string[] = [];
      const other = new SqlContainerStore({
        db,
        clock: systemClock,
        clusterId: 'zzzzz',
        randomBytes: () => randomBytes(15),
        size: () => ({ needs, instanceTypes: [smallType] }),
        maxDispatchAttempts: 2,
        writer: 'other',
        patienceMs: 0,
        onFault: (uuid, error) => faults.push(`${uuid} ${String(error)}`),
      });
      await other.update();
      expect([...other.entries().entries.keys()]).toEqual([whole]);
      expect(faults).toEqual([
        expect.stringContaining(`${damaged} RowFault: container ${damaged}: its constraints`),
      ]);
      await other.stop();
    });
  });
}
