import { describe, expect, it } from 'vitest';
import { CreateLimits } from '../../src/fleet/create-limits.js';
import type { InstanceType } from '../../src/domain/instance-type.js';
import { describeWait } from '../../src/policy/wait-reason.js';
import { HeapClock } from '../../src/simulation/heap-clock.js';
import { acted, container, SchedulingWorld, typeT, waitOf } from '../support/scheduling-world.js';

const upTo16 = Array.from({ length: 16 }, (_, index) => typeT(index + 1));

/** Passes over a fleet at a provider that answers at once, with a quota of its own and types that it lacks. */
class Provider extends SchedulingWorld {
  readonly clock = new HeapClock(1_000_000);
  readonly destroyedFor: string[] = [];
  readonly limits = new CreateLimits({
    clock: this.clock,
    quotaGroup: () => '',
    zones: () => [],
    maxInstances: 0,
    maxConcurrentCreates: 0,
    quotaHoldOffMs: 60_000,
    quotaRetryMs: 600_000,
    capacityHoldOffMs: 60_000,
    trialTimeoutMs: 300_000,
    bootFailureLimit: 0,
    bootFailureHoldOffMs: 1,
    bootTrialTimeoutMs: 1,
    onClosed: () => {},
  });
  /** Instances of others in the same account. */
  others = 0;
  #calls = 0;

  get counts() {
    return { workers: this.instances.length, pending: 0, inFlight: 0 };
  }

  async hours(hours: number, eachPass: () => void = () => {}): Promise<void> {
    const until = this.clock.now() + hours * 3_600_000;
    while (this.clock.now() < until) {
      eachPass();
      this.step();
      await this.clock.advance(10_000);
    }
  }

  step(): void {
    const { limits, counts } = this;
    this.now = this.clock.now();
    limits.synced(counts);
    this.atQuota = limits.atQuota(counts);
    this.room = limits.roomAtQuota();
    this.isFull = (type) => limits.atCapacity(type);
    this.isOnTrial = (type) => limits.isOnTrial(type);
    this.creatable = limits.creatable(counts);
    const result = this.pass();
    for (const action of result.actions) {
      if (action.kind === 'shutdown') {
        this.instances = this.instances.filter(({ instanceId }) => instanceId !== action.instanceId);
        this.destroyedFor.push(action.because);
      }
      if (action.kind === 'create') this.#create(action.instanceType);
    }
    this.live({ ...result, actions: result.actions.filter(({ kind }) => kind !== 'create') });
  }

  #create(instanceType: InstanceType): void {
    const { limits, counts } = this;
    if (limits.atCapacity(instanceType) || limits.creatable(counts) < 1) return;
    const call = { launchId: `launch-${++this.#calls}`, instanceType };
    limits.tried(call);
    // Providers look at the quota first.
    if (this.instances.length + this.others >= this.quota) {
      limits.createRefused(call, { code: 'quota', message: 'too many instances' }, counts);
    } else if (this.lacking.has(instanceType.name)) {
      limits.createRefused(call, { code: 'capacity', message: 'none', scope: 'type' }, counts);
    } else {
      this.instance(instanceType.name).instanceId = call.launchId;
      limits.succeeded(call);
    }
  }
}

describe('room at quota', () => {
  it('is made for a type that cannot be had ever more seldom (SC-82, L-15)', async () => {
    const world = new Provider(upTo16);
    world.quota = 40;
    world.lacking.add('t8');
    for (let each = 0; each < 40; each++) world.instance('t1');
    world.add(container(9, { vcpus: 8, ram: 8 * 2 ** 30 }));
    for (const name of ['t9', 't10', 't11', 't12', 't13', 't14', 't15', 't16']) world.lacking.add(name);
    // Others take the room again once the trial was made.
    await world.hours(4, () => {
      if (world.limits.views().some(({ key, state }) => key === 'quota' && state === 'open')) return;
      while (world.instances.length < world.quota) world.instance('t1');
    });
    const rounds = world.destroyedFor.length / 8;
    expect(rounds).toBeGreaterThanOrEqual(1);
    expect(rounds).toBeLessThanOrEqual(12);
  });

  it('is made ever more seldom while it is of no use, as others take what is freed (SC-82, K-10)', async () => {
    const world = new Provider(upTo16);
    world.quota = 40;
    for (let each = 0; each < 40; each++) world.instance('t1');
    world.add(container(9, { vcpus: 2 }));
    await world.hours(4, () => {
      world.others = Math.max(world.others, world.quota - world.instances.length);
    });
    expect(world.destroyedFor.length).toBeLessThanOrEqual(2 * 12);
  });

  it('serves one that needs another type at once where the provider has it (SC-53, SC-82)', async () => {
    const world = new Provider(upTo16);
    world.quota = 4;
    for (let each = 0; each < 4; each++) world.instance('t1');
    world.add(container(9, { vcpus: 4, ram: 4 * 2 ** 30 }));
    await world.hours(0.02);
    expect(world.instances.map(({ instanceType }) => instanceType.name)).toContain('t4');
    expect(world.running.has(container(9).uuid)).toBe(true);
  });

  it('is one instance where maxInstances is what is full (SC-82)', () => {
    const world = new SchedulingWorld(upTo16).add(container(9, { vcpus: 4 }));
    for (const _ of [1, 2, 3, 4]) world.instance('t1');
    world.atQuota = true;
    world.room = 'one';
    expect(acted(world.pass(), 'shutdown')).toEqual(['i-1']);
  });

  it('is not made while the trial is under way, and containers behind use what there is (SC-53, SC-82)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(container(9, { vcpus: 4 }), container(1), container(2, { state: 'Queued' }));
    for (const _ of [1, 2, 3]) world.instance('t1');
    world.atQuota = true;
    world.room = 'held';
    const result = world.pass();
    expect([acted(result, 'shutdown'), acted(result, 'start'), acted(result, 'lock')]).toEqual([
      [],
      [1],
      [2],
    ]);
    expect(waitOf(result, 9)).toMatchObject({ code: 'cloud-limit' });
  });

  it('is waited for by all behind, unless the type was lacking last (SC-53, SC-54)', () => {
    const world = new SchedulingWorld(upTo16, 4);
    world.add(container(9, { vcpus: 8 }), container(2));
    world.add(container(7, { state: 'Running', vcpus: 3 }));
    world.instance('t4', 'running', 7);
    world.instance('t1');
    for (let n = 9; n <= 16; n++) world.full.add(`t${n}`);
    world.atQuota = true;
    const orders = (): unknown[] => ['start', 'shutdown'].map((kind) => acted(world.pass(), kind as 'start'));
    expect(orders()).toEqual([[], ['i-2']]);
    world.onTrial.add('t8');
    expect(orders()).toEqual([[2], ['i-2']]);
  });
});

describe('what a container waits for', () => {
  it('names the breaker and its time at quota, and when its types are tried again (SC-54, SC-67)', () => {
    const world = new SchedulingWorld(upTo16).add(container(9, { vcpus: 16 }), container(1));
    world.atQuota = true;
    world.quotaHold = { because: 'quota exceeded: 10 of 10 instances', until: Date.UTC(2030, 1, 2) };
    world.full.add('t16');
    world.capacityHold = { key: 'capacity: type pt16', until: Date.UTC(2031, 1, 2) };
    const result = world.pass();
    expect(describeWait(waitOf(result, 1)!)).toContain('quota exceeded: 10 of 10 instances');
    expect(waitOf(result, 1)).toMatchObject({ until: Date.UTC(2030, 1, 2) });
    expect(waitOf(result, 9)).toMatchObject({
      code: 'types-at-capacity',
      breaker: 'capacity: type pt16',
      until: Date.UTC(2031, 1, 2),
    });
  });
});
