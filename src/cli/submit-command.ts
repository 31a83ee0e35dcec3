import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { printJson } from './output.js';
import type { ContainerBody, Page } from './wire.js';

interface SubmitOptions {
  file?: string;
  json?: boolean;
  env?: string[];
  retryOn?: string;
  retryDelay?: string;
  [key: string]: unknown;
}

/** Adds `submit`: one command, or a file of many. */
export function addSubmit(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('submit')
    .description('submit one command, or a file of containers')
    .argument('[command...]', 'command and arguments; options after its first word belong to it')
    .option('--file <file>', 'YAML or JSON: a list of containers, or {containers: […]}; .jsonl: one per line')
    .option('--name <name>', 'display name')
    .option('--vcpus <n>', 'VCPUs', Number)
    .option('--ram <size>', 'memory, such as 512MiB')
    .option('--scratch <size>', 'disk, such as 10GiB')
    .option('--priority <n>', 'higher values run first')
    .option('--env <name=value>', 'environment variable; may be repeated', collect)
    .option('--image <image>', 'container image; without it the command runs as a plain process')
    .option('--cwd <folder>', 'working directory')
    .option('--max-run-time <time>', 'time limit, such as 1h')
    .option('--attempts <n>', 'maximum number of attempts', Number)
    .option('--retry-on <codes>', 'exit codes to retry while attempts remain: any, or a list such as 75,111')
    .option('--retry-delay <time>', 'delay before the second attempt; doubles with each further one')
    .option('--preemptible', 'run on preemptible instances')
    .option('--on-demand-fallback', 'run on on-demand instances while there is no spot capacity')
    .option('--supervisor', 'it is a workflow runner, which submits other containers')
    .option('--idempotency-key <key>', 'a second submission with the same key returns the same container')
    .option('--json', 'print the containers as JSON')
    .addHelpText(
      'after',
      "\nExamples:\n  longshore submit --vcpus 1 --ram 64MiB sh -c 'sleep 5; date'\n  longshore submit --file jobs.yaml",
    )
    .action(async (words: string[], options: SubmitOptions, command: Command) => {
      const containers = options.file === undefined ? [fromOptions(words, options)] : fromFile(options.file);
      const { items } = await context
        .client(command)
        .post<Page<ContainerBody>>('/v1/containers', { containers });
      if (options.json) printJson(output, items);
      else for (const item of items) output.write(lineOf(item));
      if (items.some(({ state }) => state === 'Cancelled')) context.setExitCode(1);
    });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function lineOf({ uuid, error }: ContainerBody): string {
  return error === '' ? `${uuid}\n` : `${uuid}\tcancelled: ${error}\n`;
}

function fromOptions(words: string[], options: SubmitOptions): Record<string, unknown> {
  const [first] = words;
  if (first === undefined) throw new ClientError('no command and no --file given', 2);
  if (/^[A-Za-z_]\w*=/.test(first)) {
    throw new ClientError(`"${first}" is not a command: use a separate --env for each variable`, 2);
  }
  const { file: _file, json: _json, env = [], retryOn, retryDelay, ...rest } = options;
  const variables = env.map((each) => {
    const split = each.indexOf('=');
    if (split < 1) throw new ClientError(`--env ${each}: write it as NAME=value`, 2);
    return [each.slice(0, split), each.slice(split + 1)];
  });
  const retry = retryOf(retryOn, retryDelay);
  return { ...rest, ...retry, command: words, env: Object.fromEntries(variables) as Record<string, string> };
}

function retryOf(codes: string | undefined, delay: string | undefined): Record<string, unknown> {
  if (codes === undefined && delay === undefined) return {};
  const exitCodes = codes === undefined ? [] : codes === 'any' ? codes : codes.split(',').map(Number);
  return { retry: { exitCodes, ...(delay === undefined ? {} : { delay }) } };
}

function fromFile(path: string): unknown[] {
  try {
    const text = readFileSync(path === '-' ? 0 : path, 'utf8');
    if (path.endsWith('.jsonl')) {
      const lines = text.split('\n').filter((line) => line.trim() !== '');
      return lines.map((line) => JSON.parse(line) as unknown);
    }
    const data = parseYaml(text) as unknown;
    const list = Array.isArray(data) ? data : (data as { containers?: unknown } | null)?.containers;
    if (Array.isArray(list)) return list;
  } catch (cause) {
    throw new ClientError(`${path}: ${(cause as Error).message}`, 2, { cause });
  }
  throw new ClientError(`${path}: expected a list of containers, or {containers: […]}`, 2);
}
