import type { Clock } from '../../domain/clock.js';
import type { Driver } from '../driver.js';
import { faultlessVm } from './vm-behavior.js';
import { parseSimulatedParameters } from './parameters.js';
import { SimulatedCloud } from './simulated-cloud.js';
import { SimulatedDriver } from './simulated-driver.js';
import { SshHost } from './ssh-host.js';

export interface SimulatedDriverOptions {
  parameters: unknown;
  clock: Clock;
  random: () => number;
}

/**
 * A cloud of machines that only pretend, behind real SSH servers on loopback, to try a configuration without a
 * provider. It ends with the driver. Throws {@link DriverError} `invalid` for wrong parameters.
 */
export function openSimulatedDriver({ parameters, clock, random }: SimulatedDriverOptions): Driver {
  const knobs = parseSimulatedParameters(parameters);
  const host = new SshHost({
    clock,
    random,
    hasKnownHostKeys: true,
    knobsOf: () => ({ ...faultlessVm, ...knobs }),
    execute: () => ({ durationMs: knobs.containerMs, exitCode: 0, stdout: '', stderr: '' }),
  });
  const onFault = (instanceId: string, error: unknown): void =>
    process.emitWarning(`the simulated instance ${instanceId} has a fault: ${String(error)}`);
  const cloud = new SimulatedCloud({ host, clock, random, knobs, onFault });
  for (const [type, scope] of Object.entries(knobs.noCapacity)) cloud.noCapacity.set(type, scope);
  return new SimulatedDriver(cloud, () => cloud.close());
}
