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

/** submit: one command, or a file of many. */
export function addSubmit(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('submit')
    .description('queue one command, or a file of many')
    .argument('[command...]', 'the command and its words; options after its first word are its own')
    .option('--file <file>', 'YAML or JSON: a list of containers, or {containers: […]}; .jsonl: one a line')
    .option('--name <name>', 'for people')
    .option('--vcpus <n>', 'VCPUs', Number)
    .option('--ram <size>', 'memory, like 512MiB')
    .option('--scratch <size>', 'disk, like 10GiB')
    .option('--priority <n>', 'higher goes first')
    .option('--env <name=value>', 'environment variable; may be given again', collect)
    .option('--image <image>', 'container image; without it the command runs as a plain process')
    .option('--cwd <folder>', 'where it runs')
    .option('--max-run-time <time>', 'ended after this long, like 1h')
    .option('--attempts <n>', 'how often it may be begun before a lost run cancels it', Number)
    .option('--retry-on <codes>', 'try these exit codes again while attempts remain: any, or like 75,111')
    .option('--retry-delay <time>', 'pause before the second attempt, twice as long before each further one')
    .option('--preemptible', 'on preemptible instances')
    .option('--on-demand-fallback', 'on on-demand ones while there is no spot capacity')
    .option('--supervisor', 'it starts and awaits other containers')
    .option('--idempotency-key <key>', 'the same key never makes a second container')
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
  if (first === undefined) throw new ClientError('give a command, or --file', 2);
  if (/^[A-Za-z_]\w*=/.test(first)) {
    throw new ClientError(`"${first}" is no command: give each variable an --env of its own`, 2);
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
  throw new ClientError(`${path}: give a list of containers, or {containers: […]}`, 2);
}
