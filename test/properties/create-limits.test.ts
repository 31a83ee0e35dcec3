import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CreateLimits } from '../../src/fleet/create-limits.js';
import type { InstanceType } from '../../src/domain/instance-type.js';
import type { CloudFailure } from '../../src/machines/cloud-effects.js';
import { HeapClock } from '../../src/simulation/heap-clock.js';
import { typeT } from '../support/scheduling-world.js';

const types = [typeT(1), typeT(2)];
const holds = { quota: 60_000, quotaRetry: 600_000, capacity: 60_000, trial: 300_000, boot: 600_000 };
const longestHoldMs = 1_800_000;
const bootTrialMs = 900_000;
const day = 86_400_000;

interface Call {
  launchId: string;
  instanceType: InstanceType;
  zone: string;
  startedAt: number;
}

type Step =
  | { kind: 'create'; type: number }
  | { kind: 'answer'; at: number; error: CloudFailure | undefined; retryInMs: number }
  | { kind: 'boot'; at: number; isGood: boolean }
  | { kind: 'destroy' }
  | { kind: 'list' }
  | { kind: 'pass'; ms: number };

const failure = (code: CloudFailure['code'], scope?: CloudFailure['scope']): CloudFailure => ({
  code,
  message: `${code} ${scope ?? ''}`,
  ...(scope ? { scope } : {}),
});
const answers: (CloudFailure | undefined)[] = [
  undefined,
  undefined,
  failure('quota'),
  failure('quota'),
  ...(['type', 'group', 'zone', 'all'] as const).map((scope) => failure('capacity', scope)),
  failure('rate-limited'),
  failure('unavailable'),
  failure('invalid'),
  failure('aborted'),
];

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('create' as const), type: fc.nat(1) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('answer' as const),
        at: fc.nat(),
        error: fc.constantFrom(...answers),
        retryInMs: fc.integer({ min: -1_000, max: 30_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('boot' as const), at: fc.nat(), isGood: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'destroy' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'list' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        ms: fc.constantFrom(1_000, 60_000, 300_000, 600_000),
      }),
    },
  ),
  { maxLength: 60 },
);

/** A provider whose answers come in any order and whose quota is its own, and what the limits must make of them. */
class World {
  readonly clock = new HeapClock(1_000_000);
  readonly limits = new CreateLimits({
    clock: this.clock,
    quotaGroup: () => 'g',
    zones: () => ['a', 'b'],
    maxInstances: 0,
    maxConcurrentCreates: 0,
    quotaHoldOffMs: holds.quota,
    quotaRetryMs: holds.quotaRetry,
    capacityHoldOffMs: holds.capacity,
    trialTimeoutMs: holds.trial,
    bootFailureLimit: 3,
    bootFailureHoldOffMs: holds.boot,
    bootTrialTimeoutMs: bootTrialMs,
    onClosed: () => {},
  });
  readonly inFlight: Call[] = [];
  readonly booting: Call[] = [];
  workers = 0;
  /** Of each breaker that is half open or on trial: the call that was made then. */
  readonly trials = new Map<string, Call>();
  /** The least number of instances, calls under way included, at a quota error of the present hold. */
  #bound = Infinity;
  #calls = 0;

  counts() {
    return { workers: this.workers, pending: this.inFlight.length, inFlight: this.inFlight.length };
  }

  state(key: string): string {
    return this.limits.views().find((view) => view.key === key)?.state ?? 'closed';
  }

  mayCreate(type: InstanceType): boolean {
    return !this.limits.atCapacity(type) && this.limits.creatable(this.counts()) >= 1;
  }

  create(type: InstanceType): boolean {
    if (!this.mayCreate(type)) return false;
    const call = {
      launchId: `launch-${++this.#calls}`,
      instanceType: type,
      zone: this.limits.zoneFor(type)!,
      startedAt: this.clock.now(),
    };
    const halfOpen = this.limits.views().filter(({ state }) => state === 'halfOpen');
    this.limits.tried(call);
    for (const { key } of halfOpen) if (this.state(key) === 'probing') this.trials.set(key, call);
    this.inFlight.push(call);
    return true;
  }

  answer(call: Call, error: CloudFailure | undefined, retryInMs = 1_000): void {
    this.inFlight.splice(this.inFlight.indexOf(call), 1);
    const before = new Map(this.limits.views().map((view) => [view.key, view]));
    if (error) {
      if (error.code === 'quota') this.#bound = Math.min(this.#bound, this.workers + this.inFlight.length);
      const retryAt = this.clock.now() + retryInMs;
      this.limits.createRefused(
        call,
        error.code === 'rate-limited' ? { ...error, retryAt } : error,
        this.counts(),
      );
    } else {
      this.workers++;
      this.booting.push(call);
      this.limits.succeeded(call);
    }
    for (const [key, { state, until }] of before) {
      const isTrial = state === 'probing' && this.trials.get(key) === call;
      if (isTrial || key.startsWith('boot')) continue;
      const after = this.limits.views().find((view) => view.key === key);
      expect(after, `${key} was closed by a call that is not its trial`).toBeDefined();
      if (state === 'open') expect(after).toMatchObject({ state: 'open' });
      // Without an instance there is nothing to wait for but time, and that is short.
      if (state === 'open' && key !== 'quota') expect(after!.until).toBeGreaterThanOrEqual(until!);
      if (state === 'probing') expect(after!.state).toBe('probing');
    }
  }

  list(): void {
    const { workers, inFlight } = this;
    this.limits.synced(this.counts());
    if (workers + inFlight.length < this.#bound) {
      expect(this.state('quota'), 'there are fewer instances than at the quota error').not.toBe('open');
    }
    if (this.state('quota') !== 'open') this.#bound = Infinity;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    if (this.state('quota') !== 'open') this.#bound = Infinity;
  }

  async apply(step: Step): Promise<void> {
    switch (step.kind) {
      case 'create':
        return void this.create(types[step.type]!);
      case 'answer': {
        const call = this.inFlight[step.at % Math.max(1, this.inFlight.length)];
        return call && this.answer(call, step.error, step.retryInMs);
      }
      case 'boot': {
        const [call] = this.booting.splice(step.at % Math.max(1, this.booting.length), 1);
        if (!call) return;
        if (!step.isGood) this.workers--;
        return this.limits.bootDecided(call, step.isGood ? 'success' : 'failure');
      }
      case 'destroy':
        if (this.workers > this.booting.length) this.workers--;
        return;
      case 'list':
        return this.list();
      case 'pass':
        return this.pass(step.ms);
    }
  }

  /** Whatever is not closed ends by itself: at a time that is told, or with a call that is under way. */
  check(): void {
    const now = this.clock.now();
    for (const { key, state, until } of this.limits.views()) {
      const longest = key.startsWith('boot') ? day : longestHoldMs;
      if (state === 'open') expect(until! - now, key).toBeLessThanOrEqual(longest);
      if (state !== 'probing') continue;
      const trial = this.trials.get(key)!;
      const isUnderWay = key.startsWith('boot')
        ? this.booting.includes(trial) || this.inFlight.includes(trial)
        : this.inFlight.includes(trial);
      expect(isUnderWay, `${key} waits for a call that has ended`).toBe(true);
      expect(now - trial.startedAt).toBeLessThanOrEqual(key.startsWith('boot') ? bootTrialMs : holds.trial);
    }
  }
}

it('closes a breaker by its own trial only, and strands none, in whatever order calls are answered (L-12, L-14, K-10)', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const world = new World();
      for (const step of story) {
        await world.apply(step);
        world.check();
      }
      world.limits.stop();
    }),
    { numRuns: 500 },
  );
});

it('asks again for every type once the provider has room, within the longest hold, whatever came before (L-12..L-19)', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const world = new World();
      for (const step of story) await world.apply(step);
      for (const call of [...world.inFlight].reverse()) world.answer(call, undefined);
      // From here on everything succeeds at once.
      const waiting = new Set(types);
      const limit = world.clock.now() + day + bootTrialMs;
      while (waiting.size > 0 && world.clock.now() < limit) {
        for (const call of world.booting.splice(0)) world.limits.bootDecided(call, 'success');
        for (const type of waiting) {
          if (!world.create(type)) continue;
          world.answer(world.inFlight[0]!, undefined);
          waiting.delete(type);
        }
        await world.pass(10_000);
        // No boot is held here, as one that succeeds ends that.
        if (world.clock.now() > limit - day - bootTrialMs + longestHoldMs + holds.trial) break;
      }
      expect([...waiting].map(({ name }) => name)).toEqual([]);
      world.limits.stop();
    }),
    { numRuns: 200 },
  );
});

it('grows again as soon as there are fewer instances than at the quota error, though a call was accepted after it (L-12, L-14)', () => {
  const world = new World();
  world.create(types[0]!);
  world.create(types[0]!);
  const [late, refused] = world.inFlight as [Call, Call];
  world.answer(refused, failure('quota'));
  world.answer(late, undefined);
  expect(world.limits.atQuota(world.counts())).toBe(true);
  world.workers = 0;
  world.list();
  expect([world.limits.atQuota(world.counts()), world.limits.creatable(world.counts())]).toEqual([false, 1]);
  world.limits.stop();
});
