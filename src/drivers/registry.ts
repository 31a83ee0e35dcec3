import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Clock } from '../domain/clock.js';
import type { Tags } from '../domain/instance.js';
import { DriverError, type Driver, type DriverWarning } from './driver.js';

export interface DriverContext {
  parameters: unknown;
  instanceSetId: string;
  /** Folder of everything that must outlive the daemon. */
  stateDir: string;
  clock: Clock;
  /** From 0 up to, not including, 1. */
  random: () => number;
  /** Something went wrong beside the calls and was dealt with. Default: a warning of the process. */
  warn?: DriverWarning;
  /** For what a provider makes once for all instances. Default: none. */
  resourceTags?: Tags;
  /** Where a driver counts what only it knows. Default: nowhere. */
  registry?: Registry;
}

type Factory = (context: DriverContext) => Promise<Driver>;

/** Each loads its code, and its provider's library, only when it is asked for. */
const factories: Readonly<Record<string, Factory>> = {
  azure: async (context) => {
    const { openAzureDriver } = await import('./azure/open-azure.js');
    return openAzureDriver(context);
  },
  ec2: async ({ parameters, clock, warn = warnOfProcess, resourceTags = {}, registry }) => {
    const { parseEc2Parameters } = await import('./ec2/parameters.js');
    const settings = parseEc2Parameters(parameters);
    const { Ec2Driver } = await import('./ec2/ec2-driver.js');
    return new Ec2Driver({ parameters: settings, clock, resourceTags, registry, warn });
  },
  loopback: async ({ parameters, instanceSetId, stateDir, clock }) => {
    const { LoopbackDriver } = await import('./loopback/loopback-driver.js');
    const { parseLoopbackParameters } = await import('./loopback/parameters.js');
    const folder = join(stateDir, 'loopback', instanceSetId.replaceAll(/[^A-Za-z0-9-]/g, '_'));
    return new LoopbackDriver({ parameters: parseLoopbackParameters(parameters), folder, clock });
  },
  simulated: async ({ parameters, clock, random }) => {
    const { openSimulatedDriver } = await import('./simulated/open-simulated.js');
    return openSimulatedDriver({ parameters, clock, random });
  },
};

function warnOfProcess(message: string, { err }: Readonly<Record<string, unknown>>): void {
  process.emitWarning(err instanceof Error ? `${message}: ${err.message}` : message);
}

export const driverNames: readonly string[] = Object.keys(factories);

/** Rejects with {@link DriverError} `invalid` for a name nobody knows (L-44, DI-1) or parameters that make no sense. */
export async function openDriver(name: string, context: DriverContext): Promise<Driver> {
  const factory = Object.hasOwn(factories, name) ? factories[name] : undefined;
  if (!factory) {
    throw new DriverError('invalid', `driver: "${name}" is not known: use ${driverNames.join(' or ')}`);
  }
  return factory(context);
}
