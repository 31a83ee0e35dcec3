import { startCommand } from '../../src/actors/start-container.js';
import { systemClock, type Clock } from '../../src/domain/clock.js';
import type { Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { faultlessVm, type CloudKnobs, type VmKnobs } from '../../src/drivers/simulated/vm-behavior.js';
import { MemoryHost } from '../../src/drivers/simulated/memory-host.js';
import { SimulatedCloud, type SimulatedCloudOptions } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { never, options, spec } from './contract.js';

export { options } from './contract.js';

export const within = { timeoutMs: 60_000, signal: never };
export const uuid = 'zzzzz-dz642-000000000000001';
/** Run by the `afterEach` of each test file. */
export const closers: (() => Promise<unknown>)[] = [];

const fail = (id: string, error: unknown): never => {
  throw new Error(id, { cause: error });
};

export interface WorldOptions {
  cloud?: Partial<CloudKnobs>;
  vm?: Partial<VmKnobs>;
  random?: () => number;
  admit?: SimulatedCloudOptions['admit'];
  hasKnownHostKeys?: boolean;
  /** What the supervisor of each container does before it goes. */
  report?(exitCode: number): Promise<void>;
  /** Default: one that only the test moves. */
  clock?: Clock;
}

export function world({ cloud: knobs = {}, vm = {}, random = () => 0.5, ...rest }: WorldOptions = {}) {
  const heap = new HeapClock(1_000_000);
  const clock = rest.clock ?? heap;
  const host = new MemoryHost({
    clock,
    random,
    hasKnownHostKeys: rest.hasKnownHostKeys ?? true,
    knobsOf: () => ({ ...faultlessVm, ...vm }),
    execute: () => ({
      durationMs: 1_000,
      exitCode: 3,
      stdout: 'out',
      stderr: 'err',
      ...(rest.report ? { report: rest.report } : {}),
    }),
  });
  const cloud = new SimulatedCloud({
    host,
    clock,
    random,
    knobs,
    onFault: fail,
    ...(rest.admit ? { admit: rest.admit } : {}),
  });
  const driver = new SimulatedDriver(cloud);
  closers.push(() => cloud.close());
  const ids = async () => (await driver.list({}, options)).map(({ id }) => id);
  return { clock: heap, host, cloud, driver, ids };
}

export const openOverSsh = (parameters: unknown): Promise<Driver> =>
  openDriver('simulated', {
    parameters,
    instanceSetId: 'set',
    stateDir: '/nowhere',
    clock: systemClock,
    random: () => 0.5,
  });

export const list = 'sudo crunch-run --list';
export const start = startCommand('crunch-run', { runtimeEngine: 'docker', arguments: ['--x=y z'] }, uuid);

export async function vmWorld(given: WorldOptions = {}) {
  const all = world(given);
  await all.driver.create(spec(), options);
  await settle();
  const [instance] = await all.driver.list({}, options);
  const { vm } = all.host.at(instance!.address)!;
  const run = (command: string, stdin: string | Uint8Array = '') => vm.interpret(command, stdin);
  return { ...all, vm, instance: instance!, run };
}
