import { join } from 'node:path';
import { DriverError, type Driver } from './driver.js';
import type { DriverContext } from './driver-context.js';

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
    const folder = folderOf(stateDir, 'loopback', instanceSetId);
    return new LoopbackDriver({ parameters: parseLoopbackParameters(parameters), folder, clock });
  },
  exec: async ({
    parameters,
    instanceSetId,
    folder = process.cwd(),
    secrets = [],
    clock,
    warn = warnOfProcess,
  }) => {
    const { openExecDriver } = await import('./exec/open-exec.js');
    return openExecDriver({ parameters, instanceSetId, folder, secrets, clock, warn });
  },
  static: async ({ parameters, record, executors, clock }) => {
    if (!executors || !record) {
      throw new DriverError('invalid', 'the static driver has to log in to its hosts, and to remember them');
    }
    const { StaticDriver } = await import('./static/static-driver.js');
    const { parseStaticParameters } = await import('./static/parameters.js');
    return new StaticDriver({ parameters: parseStaticParameters(parameters), record, executors, clock });
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

/** Of one instance set alone. */
function folderOf(stateDir: string, driver: string, instanceSetId: string): string {
  return join(stateDir, driver, instanceSetId.replaceAll(/[^A-Za-z0-9-]/g, '_'));
}
