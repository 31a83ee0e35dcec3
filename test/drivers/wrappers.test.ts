import { describe, expect, it } from 'vitest';
import { CreateLimits } from '../../src/actors/create-limits.js';
import { cloudFailure } from '../../src/actors/cloud-failure.js';
import { instanceSetIdOf } from '../../src/domain/ids.js';
import type { Instance } from '../../src/domain/instance.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../../src/drivers/driver.js';
import type { DriverCall } from '../../src/drivers/wrappers/observe.js';
import { wrapDriver } from '../../src/drivers/wrappers/wrap.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { errorOf, never, spec, type } from './contract.js';

const options = { signal: never };

const instance = (tags: Record<string, string> = {}): Instance => ({
  id: 'i-1',
  displayName: 'i-1',
  providerType: 'p',
  address: '',
  remoteUser: 'root',
  tags,
  priceHistory: [],
});

/** A driver that notes what arrives and answers as each test wants. */
class Recorder implements Driver {
  readonly name = 'recorder';
  readonly calls: string[] = [];
  readonly created: CreateSpec[] = [];
  answer: (what: string, options: CallOptions) => Promise<unknown> = () => Promise.resolve();
  listed: Instance[] = [];

  async create(wanted: CreateSpec, given: CallOptions): Promise<Instance> {
    this.created.push(wanted);
    await this.#note('create', given);
    return instance(wanted.tags);
  }

  async list(_tags: unknown, given: CallOptions): Promise<Instance[]> {
    await this.#note('list', given);
    return this.listed;
  }

  async destroy(_id: string, given: CallOptions): Promise<void> {
    await this.#note('destroy', given);
  }

  async setTags(_id: string, _tags: unknown, given: CallOptions): Promise<void> {
    await this.#note('setTags', given);
  }

  async verifyHostKey(_of: Instance, _key: Uint8Array, given: CallOptions): Promise<undefined> {
    await this.#note('verifyHostKey', given);
  }

  priceHistory(): readonly never[] {
    return [];
  }

  quotaGroup(): string {
    return '';
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #note(what: string, given: CallOptions): Promise<unknown> {
    this.calls.push(what);
    return this.answer(what, given);
  }
}

function world(
  change: { opsPerSecond?: number; timeoutMs?: number; resourceTags?: Record<string, string> } = {},
) {
  const clock = new HeapClock(1_000_000);
  const recorder = new Recorder();
  const observed: DriverCall[] = [];
  const driver = wrapDriver(recorder, {
    clock,
    resourceTags: {},
    opsPerSecond: 0,
    timeoutMs: 60_000,
    observe: (call) => observed.push(call),
    ...change,
  });
  return { clock, recorder, observed, driver };
}

describe('tags', () => {
  it('puts the resource tags under those of the call (DT-24)', async () => {
    const { driver, recorder } = world({ resourceTags: { a: '1', b: '2' } });
    await driver.create(spec({ tags: { b: '3' } }), options);
    expect(recorder.created[0]?.tags).toEqual({ a: '1', b: '3' });
  });

  it('drops listed instances whose tag differs or lacks (DT-25)', async () => {
    const { driver, recorder } = world();
    recorder.listed = [instance({ k: 'v' }), instance({ k: 'w' }), instance()];
    expect(await driver.list({ k: 'v' }, options)).toHaveLength(1);
    expect(await driver.list({}, options)).toHaveLength(3);
  });
});

describe('the rate limit', () => {
  const tenCalls = (driver: Driver): Promise<unknown>[] =>
    Array.from({ length: 5 }, () => [driver.create(spec(), options), driver.destroy('i', options)]).flat();

  it('lets all calls through at once when it is 0 (DT-26)', async () => {
    const { driver, recorder } = world();
    await Promise.all(tenCalls(driver));
    expect(recorder.calls).toHaveLength(10);
  });

  it('allows a burst and then keeps the rate over all operations (DD-3, DW-22)', async () => {
    const { driver, recorder, clock } = world({ opsPerSecond: 10 });
    const calls = [...tenCalls(driver), ...tenCalls(driver)];
    await settle();
    const atOnce = recorder.calls.length;
    expect(atOnce).toBeLessThanOrEqual(11);
    await clock.advance(500);
    expect(recorder.calls.length - atOnce).toBeGreaterThanOrEqual(4);
    expect(recorder.calls.length - atOnce).toBeLessThanOrEqual(6);
    await clock.advance(2_000);
    await Promise.all(calls);
    expect(recorder.calls).toHaveLength(20);
  });

  it('serves a destroy before the creations that wait (DW-22)', async () => {
    const { driver, recorder, clock } = world({ opsPerSecond: 1 });
    const calls = Array.from({ length: 3 }, () => driver.create(spec(), options));
    await settle();
    const before = recorder.calls.length;
    calls.push(driver.destroy('i', options) as never);
    await clock.advance(1_100);
    expect(recorder.calls[before]).toBe('destroy');
    await clock.advance(5_000);
    await Promise.all(calls);
  });

  it('gives up waiting when the caller does, and makes no call then', async () => {
    const { driver, recorder } = world({ opsPerSecond: 1 });
    const controller = new AbortController();
    await driver.list({}, options);
    const late = errorOf(driver.list({}, { signal: controller.signal }));
    await settle();
    controller.abort();
    expect((await late).code).toBe('aborted');
    expect(recorder.calls).toHaveLength(1);
  });
});

describe('the deadline', () => {
  it('ends each call that a driver never answers (K-3)', async () => {
    const { driver, recorder, clock } = world({ timeoutMs: 1_000 });
    recorder.answer = () => new Promise(() => {});
    const calls = [
      driver.create(spec(), options),
      driver.list({}, options),
      driver.destroy('i', options),
      driver.setTags('i', {}, options),
      driver.verifyHostKey(instance(), new Uint8Array(), options),
    ].map((call) => errorOf(call));
    await clock.advance(1_000);
    for (const error of await Promise.all(calls)) {
      expect(error.code).toBe('unavailable');
      expect(error.message).toContain('1000 ms');
    }
  });

  it('aborts the signal that the driver got', async () => {
    const { driver, recorder, clock } = world({ timeoutMs: 1_000 });
    let signal: AbortSignal | undefined;
    recorder.answer = (_what, given) => ((signal = given.signal), new Promise(() => {}));
    const call = errorOf(driver.list({}, options));
    await clock.advance(1_000);
    await call;
    expect(signal?.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe('errors', () => {
  it.each(['create', 'list', 'destroy', 'setTags'] as const)(
    'keep class, time and scope through every wrapper: %s (DD-6, K-31)',
    async (what) => {
      const { driver, recorder } = world({ opsPerSecond: 100 });
      const thrown = new DriverError('rate-limited', 'slow down', { retryAt: 5 });
      recorder.answer = () => Promise.reject(thrown);
      const call = {
        create: () => driver.create(spec(), options),
        list: () => driver.list({}, options),
        destroy: () => driver.destroy('i', options),
        setTags: () => driver.setTags('i', {}, options),
      }[what];
      expect(await errorOf(call())).toBe(thrown);
    },
  );

  it('of other classes become unavailable, thrown at once or later (ER-1)', async () => {
    const { driver, recorder } = world();
    recorder.answer = () => Promise.reject(new TypeError('later'));
    expect((await errorOf(driver.list({}, options))).code).toBe('unavailable');
    recorder.list = () => {
      throw new TypeError('at once');
    };
    expect((await errorOf(driver.list({}, options))).code).toBe('unavailable');
  });

  it('include an answer to create without an instance (DW-4)', async () => {
    const { driver, recorder } = world();
    recorder.create = () => Promise.resolve(undefined as never);
    expect((await errorOf(driver.create(spec(), options))).code).toBe('unavailable');
  });
});

describe('the observer', () => {
  it('hears of each operation after it ended, with success or failure (DT-27)', async () => {
    const { driver, recorder, observed, clock } = world();
    await driver.list({}, options);
    recorder.answer = () => Promise.reject(new DriverError('quota', 'full'));
    await errorOf(driver.create(spec(), options));
    expect(observed.map(({ operation, error }) => [operation, error?.code])).toEqual([
      ['List', undefined],
      ['Create', 'quota'],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('does not count the wait for a token (DD-2)', async () => {
    const { driver, observed, clock } = world({ opsPerSecond: 1 });
    const calls = [driver.list({}, options), driver.list({}, options)];
    await clock.advance(2_000);
    await Promise.all(calls);
    expect(observed.map(({ durationMs }) => durationMs)).toEqual([0, 0]);
  });
});

describe('what the pool makes of a rate-limit error', () => {
  it('holds creation until its time, not listing, and then wakes the scheduler (DT-28)', async () => {
    const clock = new HeapClock(1_000_000);
    let opened = 0;
    const limits = new CreateLimits({
      clock,
      quotaGroup: () => '',
      zones: () => [],
      bootFailureLimit: 0,
      bootFailureHoldOffMs: 1,
      bootTrialTimeoutMs: 1,
      maxInstances: 0,
      maxConcurrentCreates: 0,
      quotaHoldOffMs: 1,
      quotaRetryMs: 1,
      capacityHoldOffMs: 1,
      trialTimeoutMs: 1_000,
      onOpened: () => opened++,
    });
    const counts = { workers: 0, pending: 0, inFlight: 0 };
    const until = clock.now() + 5_000;
    const error = new DriverError('rate-limited', 'slow down', { retryAt: until });
    limits.createRefused({ instanceType: type('small') }, cloudFailure(error), counts);
    expect([limits.createHeldUntil(), limits.creatable(counts), limits.listHoldMs()]).toEqual([until, 0, 0]);
    await clock.advance(4_999);
    expect([limits.creatable(counts), opened]).toEqual([0, 0]);
    await clock.advance(1);
    expect(limits.creatable(counts)).toBeGreaterThan(0);
    expect(opened).toBe(1);
    limits.stop();
  });
});

describe('the instance set id', () => {
  it('is the id inside a v2 token, else the digest of the token (DT-42)', () => {
    expect(instanceSetIdOf('v2/zzzzz-gj3su-abc/secret')).toBe('zzzzz-gj3su-abc');
    expect(instanceSetIdOf('abc')).toBe('900150983cd24fb0d6963f7d28e17f72');
  });
});
