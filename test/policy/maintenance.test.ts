import { describe, expect, it } from 'vitest';
import { noUpkeepMemory, upkeep, type UpkeepInput } from '../../src/policy/maintenance.js';
import { WarmSchedule } from '../../src/policy/warm-schedule.js';
import { acted, container, SchedulingWorld, typeT } from '../support/scheduling-world.js';
import type { WarmRule } from '../../src/policy/scheduler-settings.js';

const hourMs = 3_600_000;
const types = [typeT(1), typeT(2)];
const settings = {
  timeoutIdleMs: 60_000,
  coolDownMs: 0,
  maxInstanceAgeMs: 0,
  maxContainersPerInstance: 0,
  quarantineGraceMs: 900_000,
};

function fleet(...states: ['t1' | 't2', 'idle' | 'booting' | 'running', number?][]): SchedulingWorld {
  const world = new SchedulingWorld(types);
  for (const [name, state, lastBusyAt = world.now] of states)
    world.instance(name, state).lastBusyAt = lastBusyAt;
  return world;
}

function round(world: SchedulingWorld, change: Partial<UpkeepInput> = {}) {
  const { spare } = world.pass();
  return upkeep({
    now: world.now,
    instances: world.instances,
    unused: spare.unused,
    wanted: new Map(),
    creatable: spare.creatable,
    isAvailable: () => true,
    typeNamed: (name) => types.find((type) => type.name === name),
    quarantineOf: () => undefined,
    settings,
    memory: noUpkeepMemory,
    ...change,
  });
}

const told = ({ actions }: ReturnType<typeof round>): string[] =>
  actions.map((action) =>
    action.kind === 'create' ? `create ${action.instanceType.name}` : `${action.kind} ${action.instanceId}`,
  );

describe('warm capacity', () => {
  it('creates what is missing, counting what boots and not what containers are planned on', () => {
    const world = fleet(['t1', 'idle'], ['t1', 'booting'], ['t2', 'idle']).add(container(1));
    expect(told(round(world, { wanted: new Map([['t1', 3]]) }))).toEqual(['create t1', 'create t1']);
  });

  it('keeps to what may be created, and to what the provider has', () => {
    const wanted = new Map([['t1', 3]]);
    expect(told(round(fleet(), { wanted, creatable: 1 }))).toEqual(['create t1']);
    expect(told(round(fleet(), { wanted, isAvailable: () => false }))).toEqual([]);
  });

  it('keeps as many idle ones as wanted, and lets the longest idle go', () => {
    const world = fleet(['t1', 'idle', 1_000], ['t1', 'idle', 3_000], ['t1', 'idle', 2_000]);
    expect(told(round(world, { wanted: new Map([['t1', 2]]) }))).toEqual(['keep i-2', 'keep i-3']);
    expect(told(round(world))).toEqual([]);
  });

  it('does not disturb one that has not idled for long', () => {
    const world = fleet(['t1', 'idle']);
    expect(told(round(world, { wanted: new Map([['t1', 1]]) }))).toEqual([]);
  });

  it('leaves an instance on hold or draining out of the count', () => {
    const world = fleet(['t1', 'idle']);
    world.instances[0]!.idleBehavior = 'drain';
    expect(told(round(world, { wanted: new Map([['t1', 1]]) }))).toEqual(['create t1']);
  });
});

describe('the schedule of warm capacity', () => {
  const rule: WarmRule = { instanceType: 't1', idle: 2, schedule: '', timezone: '' };
  const at = (text: string): number => Date.parse(text);

  it('holds in the minutes its cron text names, in its own time zone', () => {
    const office = { ...rule, schedule: '* 8-17 * * MON-FRI', timezone: 'Europe/Berlin' };
    const schedule = new WarmSchedule([office]);
    const wanted = (text: string): number => schedule.wantedAt(at(text)).get('t1') ?? 0;
    expect(wanted('2026-11-20T07:00:00Z')).toBe(2);
    expect(wanted('2026-11-20T06:59:59Z')).toBe(0);
    expect(wanted('2026-11-20T16:59:59Z')).toBe(2);
    expect(wanted('2026-11-20T17:00:00Z')).toBe(0);
    expect(wanted('2026-11-21T10:00:00Z')).toBe(0);
    // Summer time: the same hours of the wall clock.
    expect(wanted('2026-07-20T06:00:00Z')).toBe(2);
  });

  it('takes the largest of the rules that hold', () => {
    const rules = [rule, { ...rule, idle: 5, schedule: '* 12 * * *', timezone: 'UTC' }];
    const schedule = new WarmSchedule(rules);
    expect(schedule.wantedAt(at('2026-11-20T12:30:00Z')).get('t1')).toBe(5);
    expect(schedule.wantedAt(at('2026-11-20T13:00:00Z')).get('t1')).toBe(2);
  });
});

describe('cool-down', () => {
  const cooling = { ...settings, coolDownMs: 300_000 };

  it('gives one instance of a type back at a time, the longest idle first, with a pause after each', () => {
    const world = fleet(['t1', 'idle', 1_000], ['t1', 'idle', 2_000], ['t2', 'idle', 1_000]);
    const first = round(world, { settings: cooling });
    expect(told(first)).toEqual(['keep i-2']);
    world.instances[0]!.workerState = 'shutdown';
    const second = round(world, { settings: cooling, memory: first.memory });
    expect(told(second)).toEqual(['keep i-2']);
    world.now += 300_000;
    expect(told(round(world, { settings: cooling, memory: second.memory }))).toEqual([]);
  });
});

describe('age and wear', () => {
  it('drains what is too old, in service and not on hold, and not all at the same time', () => {
    const world = fleet(['t1', 'idle'], ['t1', 'running'], ['t1', 'booting'], ['t1', 'idle']);
    world.instances[3]!.idleBehavior = 'hold';
    world.now = 24 * hourMs;
    const old = { settings: { ...settings, maxInstanceAgeMs: 24 * hourMs } };
    expect(told(round(world, old))).toEqual(['retire i-1', 'retire i-2']);
    const many = new SchedulingWorld(types);
    for (let each = 0; each < 100; each++) many.instance('t1');
    many.now = 23 * hourMs;
    const gone = told(round(many, old)).length;
    expect(gone).toBeGreaterThan(0);
    expect(gone).toBeLessThan(100);
    many.now = 21 * hourMs;
    expect(told(round(many, old))).toEqual([]);
  });

  it('drains what has had its containers, and gives it none more meanwhile', () => {
    const world = fleet(['t2', 'idle']).add(container(2, { ram: 1 }), container(1, { ram: 1 }));
    world.add(container(3, { vcpus: 2, ram: 1 }));
    world.maxInLife = 3;
    world.instances[0]!.served = 2;
    expect(acted(world.pass(), 'start')).toEqual([3]);
    world.instances[0]!.served = 3;
    expect(acted(world.pass(), 'start')).toEqual([]);
    const worn = { settings: { ...settings, maxContainersPerInstance: 3 } };
    expect(round(world, worn).actions).toEqual([
      { kind: 'retire', instanceId: 'i-1', because: 'it has had 3 containers, and none may have more' },
    ]);
  });
});

describe('an instance in quarantine', () => {
  const quarantine = (world: SchedulingWorld, forMs: number): Partial<UpkeepInput> => ({
    quarantineOf: (id) => (id === 'i-1' ? { at: world.now - forMs, because: 'it lied' } : undefined),
  });
  const draining = (state: 'idle' | 'running'): SchedulingWorld => {
    const world = fleet(['t1', state], ['t1', state]);
    for (const each of world.instances) each.idleBehavior = 'drain';
    return world;
  };

  it('is destroyed when its containers do not end within the grace time, and not sooner', () => {
    const world = draining('running');
    expect(told(round(world, quarantine(world, 899_999)))).toEqual([]);
    const { actions } = round(world, quarantine(world, 900_000));
    const because = 'its containers did not end within 15m of its quarantine';
    expect(actions).toEqual([{ kind: 'destroy', instanceId: 'i-1', because }]);
  });

  it('is kept on hold, and is not destroyed twice once it drained', () => {
    const world = draining('running');
    world.instances[0]!.idleBehavior = 'hold';
    expect(told(round(world, quarantine(world, 3_600_000)))).toEqual([]);
    const idle = draining('idle');
    expect(told(round(idle, quarantine(idle, 3_600_000)))).toEqual([]);
  });
});
