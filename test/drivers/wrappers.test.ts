import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { CreateLimits } from '../../src/fleet/create-limits.js';
import { cloudFailure } from '../../src/actors/cloud-failure.js';
import { instanceSetIdOf } from '../../src/domain/ids.js';
import type { Instance } from '../../src/domain/instance.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../../src/drivers/driver.js';
import { ProviderBreakers } from '../../src/fleet/provider-breakers.js';
import type { DriverCall } from '../../src/drivers/wrappers/observe.js';
import { wrapDriver } from '../../src/drivers/wrappers/wrap.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { errorOf, options, secret, spec, type } from './contract.js';

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
  change: {
    opsPerSecond?: number;
    timeoutMs?: number;
    resourceTags?: Record<string, string>;
    secrets?: string[];
  } = {},
) {
  const clock = new HeapClock(1_000_000);
  const recorder = new Recorder();
  const observed: DriverCall[] = [];
  const breakers = new ProviderBreakers({ clock, trialTimeoutMs: 60_000 });
  const driver = wrapDriver(recorder, {
    clock,
    resourceTags: {},
    opsPerSecond: 0,
    timeoutMs: 60_000,
    secrets: [],
    breakers,
    observe: (call) => observed.push(call),
    ...change,
  });
  return { clock, recorder, observed, breakers, driver };
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

  it('makes ten calls at ten a second take about a second (DT-26)', async () => {
    const { driver, recorder, clock } = world({ opsPerSecond: 10 });
    const calls = tenCalls(driver);
    await clock.advance(800);
    expect(recorder.calls).toHaveLength(9);
    await clock.advance(100);
    await Promise.all(calls);
    expect(recorder.calls).toHaveLength(10);
  });

  it.each([0.5, 1, 3, 7, 10, 40])(
    'makes at most rate × t + 1 calls in any t seconds, after a rest as well: %s a second (T-96)',
    async (opsPerSecond) => {
      const { driver, recorder, clock } = world({ opsPerSecond });
      const madeAt: number[] = [];
      recorder.answer = () => (madeAt.push(clock.now()), Promise.resolve());
      const intervalMs = 1_000 / opsPerSecond;
      const calls: Promise<unknown>[] = [];
      for (const restMs of [0, 0.4 * intervalMs, 3 * intervalMs, 1.7 * intervalMs, 60_000]) {
        await clock.advance(Math.round(restMs));
        calls.push(...tenCalls(driver), driver.list({}, options), driver.setTags('i', {}, options));
      }
      await clock.advance(Math.ceil(100 * intervalMs));
      await Promise.all(calls);
      expect(madeAt).toHaveLength(60);
      for (const [first, from] of madeAt.entries()) {
        for (const [last, until] of madeAt.entries()) {
          if (last > first)
            expect(last - first + 1).toBeLessThanOrEqual(((until - from) * opsPerSecond) / 1_000 + 1 + 1e-9);
        }
      }
    },
  );

  it('lets others have a turn now and then while many destroy calls wait', async () => {
    const { driver, recorder, clock } = world({ opsPerSecond: 10 });
    const calls = Array.from({ length: 30 }, () => driver.destroy('i', options));
    await settle();
    const list = driver.list({}, options);
    await clock.advance(1_000);
    expect(recorder.calls.length).toBeLessThan(30);
    await list;
    await clock.advance(4_000);
    await Promise.all(calls);
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

  it('begins when the call is made, not while it waits for its turn', async () => {
    const { driver, recorder, clock } = world({ timeoutMs: 1_000, opsPerSecond: 0.1 });
    await driver.list({}, options);
    const late = driver.list({}, options);
    await clock.advance(9_999);
    expect(recorder.calls).toHaveLength(1);
    recorder.answer = () => new Promise(() => {});
    const error = errorOf(late);
    await clock.advance(1);
    expect(recorder.calls).toHaveLength(2);
    await clock.advance(1_000);
    expect((await error).message).toContain('1000 ms');
  });

  it('leaves no listener on the signal of a call that ended', async () => {
    const { driver, recorder, clock } = world({ opsPerSecond: 100 });
    const { signal } = new AbortController();
    await driver.list({}, { signal });
    recorder.answer = () => Promise.reject(new DriverError('quota', 'full'));
    const refused = errorOf(driver.destroy('i', { signal }));
    await clock.advance(10);
    await refused;
    await settle();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
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
    expect(
      observed.map(({ operation, error, instanceType }) => [operation, error?.code, instanceType]),
    ).toEqual([
      ['List', undefined, undefined],
      ['Create', 'quota', 'small'],
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

describe('secrets', () => {
  const password = 'pa/ss"wörd+1';

  it.each<[string, (text: string) => unknown]>([
    ['the text', (text) => new DriverError('invalid', `bad request: ${text}`)],
    ['the remedy', (text) => new DriverError('auth', 'no', { remedy: `do not use ${text}` })],
    [
      'a cause of the cause',
      (text) => new DriverError('invalid', 'no', { cause: new Error('a', { cause: text }) }),
    ],
    ['a field of the cause', (text) => Object.assign(new Error('no'), { $response: { headers: [text] } })],
    [
      'a hidden field',
      (text) => Object.defineProperty(new Error('no'), 'request', { value: { body: text } }),
    ],
    ['another class of error', (text) => new TypeError(text)],
  ])('are cleaned out of %s, plain and encoded (drv CT-6)', async (_where, make) => {
    const { driver, recorder, observed, breakers } = world({ secrets: [password] });
    const texts = [
      password,
      JSON.stringify({ password }),
      `https://x/?p=${encodeURIComponent(password)}`,
      `Authorization: Basic ${Buffer.from(`user:${password}`).toString('base64')}`,
      `#!/bin/sh\necho ${secret}`,
      `UserData=${Buffer.from(`#!/bin/sh\necho ${secret}`).toString('base64')}`,
    ];
    for (const text of texts) {
      const thrown = make(`before ${text} after`);
      recorder.answer = () => Promise.reject(thrown);
      const error = await errorOf(driver.create(spec(), options), [
        password,
        encodeURIComponent(password),
        Buffer.from(`user:${password}`).toString('base64'),
        Buffer.from(`#!/bin/sh\necho ${secret}`).toString('base64'),
      ]);
      expect(error.code).toBe(thrown instanceof DriverError ? thrown.code : 'unavailable');
      expect(observed.at(-1)?.error).toBe(error);
      breakers.reset('provider');
    }
  });

  it('leave what else the error says: class, time, scope, and the rest of its text', async () => {
    const { driver, recorder } = world({ secrets: [password] });
    const thrown = { scope: 'group', retryAt: 7, remedy: 'ask for more' } as const;
    const cause = new RangeError(`the ${password} of the request`);
    recorder.answer = () => Promise.reject(new DriverError('capacity', 'none left', { ...thrown, cause }));
    const error = await errorOf(driver.list({}, options), [password]);
    expect(error).toMatchObject({ ...thrown, code: 'capacity', message: 'none left' });
    expect(error.cause).toMatchObject({ name: 'RangeError', message: 'the [redacted] of the request' });
  });
});

describe('the breakers', () => {
  const down = (): Promise<never> => Promise.reject(new DriverError('unavailable', 'connection refused'));
  const calls = (driver: Driver) => [
    () => driver.create(spec(), options),
    () => driver.list({}, options),
    () => driver.destroy('i', options),
    () => driver.setTags('i', {}, options),
  ];

  it('keep all calls from a provider that failed five times in a row, and let one decide', async () => {
    const { driver, recorder, clock, breakers } = world();
    recorder.answer = down;
    for (let failures = 0; failures < 5; failures++) {
      expect((await errorOf(calls(driver)[failures % 4]!())).code).toBe('unavailable');
    }
    const until = clock.now() + 1_000;
    expect(breakers.views()).toMatchObject([{ key: 'provider', state: 'open', until }]);
    expect(breakers.views()[0]?.reason).toContain('connection refused');
    for (const call of calls(driver)) {
      expect(await errorOf(call())).toMatchObject({ code: 'rate-limited', retryAt: until });
    }
    expect(recorder.calls).toHaveLength(5);
    await clock.advance(1_000);
    recorder.answer = () => Promise.resolve();
    await driver.list({}, options);
    await Promise.all(calls(driver).map((call) => call()));
    expect(breakers.views()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('wait longer after each trial that fails, half a minute at most', async () => {
    const { driver, recorder, clock, breakers } = world();
    recorder.answer = down;
    for (let failures = 0; failures < 5; failures++) await errorOf(driver.list({}, options));
    const waits: number[] = [];
    for (let trial = 0; trial < 7; trial++) {
      const waitMs = breakers.views()[0]!.until! - clock.now();
      waits.push(waitMs);
      await clock.advance(waitMs);
      await errorOf(driver.list({}, options));
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(recorder.calls).toHaveLength(12);
  });

  it.each(['quota', 'capacity', 'not-found', 'auth', 'invalid', 'rate-limited'] as const)(
    'count "%s" as an answer',
    async (code) => {
      const { driver, recorder, breakers } = world();
      for (let round = 0; round < 3; round++) {
        recorder.answer = down;
        for (let failures = 0; failures < 4; failures++) await errorOf(driver.list({}, options));
        recorder.answer = () => Promise.reject(new DriverError(code, 'no'));
        expect((await errorOf(driver.list({}, options))).code).toBe(code);
      }
      expect(breakers.views()).toEqual([]);
    },
  );

  it('let the next call decide when a trial was given up', async () => {
    const { driver, recorder, clock, breakers } = world();
    recorder.answer = down;
    for (let failures = 0; failures < 5; failures++) await errorOf(driver.list({}, options));
    await clock.advance(1_000);
    recorder.answer = () => new Promise(() => {});
    const controller = new AbortController();
    const trial = errorOf(driver.list({}, { signal: controller.signal }));
    await settle();
    expect(await errorOf(driver.destroy('i', options))).toMatchObject({ code: 'rate-limited' });
    controller.abort();
    expect((await trial).code).toBe('aborted');
    await clock.advance(1);
    recorder.answer = () => Promise.resolve();
    await driver.destroy('i', options);
    expect(breakers.views()).toEqual([]);
  });

  it('hold destroy and tag calls as long as the provider wants, and no others (DW-3)', async () => {
    const { driver, recorder, clock, breakers } = world();
    const retryAt = clock.now() + 4_000;
    recorder.answer = () => Promise.reject(new DriverError('rate-limited', 'slow down', { retryAt }));
    await errorOf(driver.destroy('i', options));
    recorder.answer = () => Promise.resolve();
    expect(await errorOf(driver.setTags('i', {}, options))).toMatchObject({ code: 'rate-limited', retryAt });
    await driver.list({}, options);
    await driver.create(spec(), options);
    await clock.advance(4_000);
    await driver.setTags('i', {}, options);
    await driver.destroy('i', options);
    expect(breakers.views()).toEqual([]);
  });

  it('open at an operator’s word', async () => {
    const { driver, recorder, breakers } = world();
    recorder.answer = down;
    for (let failures = 0; failures < 5; failures++) await errorOf(driver.list({}, options));
    expect([breakers.reset('nothing'), breakers.reset('provider')]).toEqual([false, true]);
    recorder.answer = () => Promise.resolve();
    await driver.list({}, options);
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
      onClosed: () => opened++,
    });
    const counts = { workers: 0, pending: 0, inFlight: 0 };
    const until = clock.now() + 5_000;
    const error = new DriverError('rate-limited', 'slow down', { retryAt: until });
    limits.createRefused({ launchId: 'l', instanceType: type('small') }, cloudFailure(error), counts);
    expect([limits.createHeldUntil(), limits.creatable(counts), limits.listHoldMs()]).toEqual([until, 0, 0]);
    await clock.advance(4_999);
    expect([limits.creatable(counts), opened]).toEqual([0, 0]);
    await clock.advance(1);
    expect(limits.creatable(counts)).toBeGreaterThan(0);
    expect(opened).toBe(1);
    limits.stop();
  });

  it('asks for a type that fails again and again less and less often, and for others as before', async () => {
    const clock = new HeapClock(1_000_000);
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
      onClosed: () => {},
    });
    const counts = { workers: 0, pending: 0, inFlight: 0 };
    const fail = (): void =>
      limits.createRefused(
        { launchId: 'l', instanceType: type('small') },
        cloudFailure(new DriverError('invalid', 'no such image')),
        counts,
      );
    fail();
    fail();
    expect(limits.views()).toEqual([]);
    for (const holdMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      fail();
      expect([limits.atCapacity(type('small')), limits.atCapacity(type('large'))]).toEqual([true, false]);
      expect(limits.views()).toMatchObject([
        { key: 'failing: type provider.small', reason: 'no such image' },
      ]);
      await clock.advance(holdMs - 1);
      expect(limits.atCapacity(type('small'))).toBe(true);
      await clock.advance(1);
      expect(limits.atCapacity(type('small'))).toBe(false);
      limits.tried({ launchId: 'l', instanceType: type('small') });
    }
    limits.succeeded({ launchId: 'l', instanceType: type('small') });
    fail();
    expect(limits.views()).toEqual([]);
    limits.stop();
  });
});

describe('the instance set id', () => {
  it('is the id inside a v2 token, else the digest of the token (DT-42)', () => {
    expect(instanceSetIdOf('v2/zzzzz-gj3su-abc/secret')).toBe('zzzzz-gj3su-abc');
    expect(instanceSetIdOf('abc')).toBe('900150983cd24fb0d6963f7d28e17f72');
  });
});
