import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { loadConfig } from '../config/load.js';
import type { GpuSpec, OfferedType, OfferQuery } from '../domain/instance-type.js';
import { formatSize, parseSize } from '../domain/size.js';
import { ClientError, type ConnectionOptions } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, startProgress } from './output.js';

/** Fetches a provider's instance types; `parameters` are those of the driver. */
export type OfferedTypes = (driver: string, parameters: unknown, query: OfferQuery) => Promise<OfferedType[]>;

interface TypesOptions {
  driver?: string;
  region?: string;
  match: string[];
  arch: string;
  scratch: number;
  spot?: boolean;
  json?: boolean;
}

const example = `
Example:
  longshore types --driver ec2 --region us-east-1 --match 'm7i.*,c7i.*' --scratch 100GiB >>longshore.yaml
Driver, region and credentials are taken from the configuration when there is one (--config).`;

/** Adds `types`: an `instanceTypes` block from a provider's own description and prices. */
export function addTypes(
  program: Command,
  { output, setExitCode }: CommandContext,
  { offeredTypes, env }: { offeredTypes: OfferedTypes; env: NodeJS.ProcessEnv },
): void {
  program
    .command('types')
    .description('write an instanceTypes block with prices from a provider’s description')
    .addOption(new Option('--driver <name>', 'driver of the provider').choices(['ec2']))
    .option('--region <region>', 'such as us-east-1')
    .option(
      '--match <names>',
      'only these names; * matches any text; separate several with commas',
      (text) => text.split(','),
      [],
    )
    .option('--arch <name>', 'processor architecture', 'x86_64')
    .option('--scratch <size>', 'add disk up to this size', readSize, 0)
    .option('--spot', 'add a preemptible variant of each type, with the on-demand price as its maximum')
    .option('--json', 'print the description as JSON')
    .addHelpText('after', example)
    .action(async (options: TypesOptions, command: Command) => {
      const source = sourceOf(options, command.optsWithGlobals<ConnectionOptions>(), env);
      const progress = startProgress(output, `fetching types and prices of ${source.driver}`);
      const query = { names: options.match, architecture: options.arch };
      const offered = await offeredTypes(source.driver, source.parameters, query).finally(() =>
        progress.stop(),
      );
      if (options.json) return printJson(output, offered);
      const priced = offered.filter(({ price }) => price !== undefined);
      const left = offered.filter(({ price }) => price === undefined).map(({ providerType }) => providerType);
      if (left.length > 0) output.error(`left out, no price: ${left.join(', ')}\n`);
      if (priced.length === 0) {
        output.error('no type remains: change --match or --arch\n');
        return setExitCode(1);
      }
      output.write(
        stringify({ instanceTypes: Object.fromEntries(priced.flatMap((each) => entries(each, options))) }),
      );
    });
}

function readSize(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new ClientError(`--scratch: ${(error as Error).message}`, 2);
  }
}

/** Overrides the configured parameters by the options. */
function sourceOf(
  { driver, region }: TypesOptions,
  connection: ConnectionOptions,
  env: NodeJS.ProcessEnv,
): { driver: string; parameters: unknown } {
  const path = connection.config ?? env['LONGSHORE_CONFIG'];
  const config = path === undefined ? undefined : loadConfig(path, env, ['driverParameters']);
  const name = driver ?? config?.driver;
  if (name === undefined) throw new ClientError('no provider given: use --driver ec2, or --config FILE', 2);
  const configured = config?.driver === name ? config.driverParameters : {};
  const parameters = { ...configured, ...(region === undefined ? {} : { region }) };
  if (!('region' in parameters))
    throw new ClientError('no region given: use --region us-east-1, or --config FILE', 2);
  return { driver: name, parameters };
}

type Entry = [name: string, type: Record<string, unknown>];

function entries(offered: OfferedType, { scratch, spot }: TypesOptions): Entry[] {
  const { providerType, vcpus, ramBytes, includedScratchBytes: included, gpu, price } = offered;
  const added = Math.max(0, scratch - included);
  const type = {
    providerType,
    vcpus,
    ram: sizeText(ramBytes),
    ...(included > 0 ? { includedScratch: sizeText(included) } : {}),
    ...(added > 0 ? { addedScratch: sizeText(added) } : {}),
    price,
    ...(gpu.deviceCount > 0 ? { gpu: gpuEntry(gpu) } : {}),
  };
  const twin: Entry[] =
    spot && offered.canBePreemptible ? [[`${providerType}.spot`, { ...type, preemptible: true }]] : [];
  return [[providerType, type], ...twin];
}

function gpuEntry({ stack, hardwareTarget, deviceCount, vramBytes }: GpuSpec): Record<string, unknown> {
  return {
    stack,
    ...(hardwareTarget === '' ? {} : { hardwareTarget }),
    deviceCount,
    vram: sizeText(vramBytes),
  };
}

/** Returns the shortest text that means exactly this many bytes. */
function sizeText(bytes: number): string | number {
  if (parseSize(formatSize(bytes)) === bytes) return formatSize(bytes);
  return bytes % 1e9 === 0 ? `${bytes / 1e9}GB` : bytes;
}
