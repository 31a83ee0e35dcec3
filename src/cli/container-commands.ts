import { Option, type Command } from 'commander';
import { parseDuration } from '../domain/duration.js';
import { ClientError, type Client } from './client.js';
import type { CommandContext } from './context.js';
import { forEachId } from './each-id.js';
import { printJson, printTable, startProgress, type Output } from './output.js';
import { isFinished, outcomeOf, type ContainerBody, type Page } from './wire.js';

const longestPollMs = 1_000;
const pathOf = (uuid: string): string => `/v1/containers/${encodeURIComponent(uuid)}`;

const queueColumns = [
  { head: 'container', priority: 9, least: 27 },
  { head: 'name', priority: 6 },
  { head: 'state', priority: 8, least: 17 },
  { head: 'priority', priority: 3 },
  { head: 'instance', priority: 4, least: 19 },
  { head: 'status', priority: 7, least: 16 },
  { head: 'goes on with', priority: 2, least: 24 },
];
const endColumns = [
  { head: 'container', priority: 4, least: 27 },
  { head: 'state', priority: 3, least: 17 },
  { head: 'exit code', priority: 1 },
  { head: 'error', priority: 2 },
];

interface LogsOptions {
  follow?: boolean;
  stream: string;
  raw?: true;
}

/** Adds `queue`, `cancel`, `logs` and `wait`. */
export function addContainerCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('queue')
    .description('list containers with their wait reasons')
    .option('--state <states>', 'only these states, such as Queued,Running')
    .option('--limit <n>', 'maximum number', '100')
    .option('--json', 'as JSON')
    .action(async (options: { state?: string; limit: string; json?: boolean }, command: Command) => {
      const query = new URLSearchParams({ limit: options.limit });
      if (options.state !== undefined) query.set('state', options.state);
      const page = await context
        .client(command)
        .get<Page<ContainerBody>>(`/v1/containers?${query.toString()}`);
      if (options.json) return printJson(output, page);
      const rows = page.items.map((each) => {
        const { uuid, name, priority, instance, wait } = each;
        const state = outcomeOf(each);
        return [uuid, name, state, priority, instance || '-', statusOf(each), wait?.unblocks ?? '-'];
      });
      printTable(output, queueColumns, rows);
    });
  program
    .command('cancel')
    .description('cancel containers in any state')
    .argument('<uuid...>')
    .option('--reason <text>', 'why', '')
    .action(async (uuids: string[], { reason }: { reason: string }, command: Command) => {
      const client = context.client(command);
      await forEachId(uuids, context, async (uuid) => {
        const { state } = await client.post<ContainerBody>(`${pathOf(uuid)}/cancel`, { reason });
        output.write(`${uuid}\t${state}\n`);
      });
    });
  program
    .command('logs')
    .description('print the output of a container')
    .argument('<uuid>')
    .option('-f, --follow', 'follow the output, from before the start until the end')
    .addOption(
      new Option('--stream <name>', 'stdout, stderr or both (each to its own stream)')
        .choices(['stdout', 'stderr', 'both'])
        .default('both'),
    )
    .option('--raw', 'print control characters unchanged, also on a terminal, which they can manipulate')
    .action(async (uuid: string, options: LogsOptions, command: Command) => {
      const client = context.client(command);
      const { write: toOut, error: toError } = options.raw ? output.raw : output;
      const show = async (stream: string, write: (text: string) => void): Promise<void> => {
        const query = new URLSearchParams({ stream, follow: options.follow ? '1' : '0' });
        for await (const text of client.stream(`${pathOf(uuid)}/logs?${query.toString()}`)) write(text);
      };
      const { stream } = options;
      await Promise.all([
        stream === 'stderr' ? undefined : show('stdout', toOut),
        stream === 'stdout' ? undefined : show('stderr', stream === 'both' ? toError : toOut),
      ]);
    });
  program
    .command('wait')
    .description(
      'wait until containers end; exit with the exit code of the container, or 1 when one of several failed',
    )
    .argument('<uuid...>')
    .option('--timeout <time>', 'timeout, such as 10m', '0')
    .action(async (uuids: string[], { timeout }: { timeout: string }, command: Command) => {
      const timeoutMs = parseDuration(timeout);
      const deadlineAt = timeoutMs === 0 ? Infinity : Date.now() + timeoutMs;
      const { ended, unknown } = await waitForAll(context.client(command), uuids, deadlineAt, output);
      const rows = ended.map((each) => [
        each.uuid,
        outcomeOf(each),
        String(each.exitCode ?? '-'),
        each.error,
      ]);
      if (rows.length > 0) printTable(output, endColumns, rows);
      for (const [uuid, message] of unknown) output.error(`${uuid}: ${message}\n`);
      const codes = ended.map(({ state, exitCode }) => (state === 'Complete' ? (exitCode ?? 1) : 1));
      codes.push(...Array.from(unknown, () => 1));
      context.setExitCode(codes.length === 1 ? codes[0]! : Number(codes.some((code) => code !== 0)));
    });
}

interface Waited {
  /** In the requested order. */
  ended: ContainerBody[];
  /** Containers that the daemon does not know, with its message. */
  unknown: ReadonlyMap<string, string>;
}

/** Polls until every container that the daemon knows has ended. Throws {@link ClientError} after the timeout. */
async function waitForAll(
  client: Client,
  uuids: readonly string[],
  deadlineAt: number,
  output: Output,
): Promise<Waited> {
  const progress = startProgress(output, 'waiting');
  const ended = new Map<string, ContainerBody>();
  const unknown = new Map<string, string>();
  const asked = [...new Set(uuids)];
  try {
    for (let pauseMs = 50; ; pauseMs = Math.min(longestPollMs, pauseMs * 2)) {
      for (const uuid of asked) {
        if (ended.has(uuid) || unknown.has(uuid)) continue;
        const body = await client.get<ContainerBody>(pathOf(uuid)).catch((error: unknown) => {
          if (!(error instanceof ClientError) || error.exitCode > 1) throw error;
          unknown.set(uuid, error.message);
        });
        if (body && isFinished(body)) ended.set(uuid, body);
      }
      const left = asked.length - ended.size - unknown.size;
      if (left === 0) return { ended: asked.flatMap((uuid) => ended.get(uuid) ?? []), unknown };
      if (Date.now() > deadlineAt) throw new ClientError(`${left} containers have not ended`, 1);
      progress.text = `${ended.size} of ${asked.length} containers ended`;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  } finally {
    progress.stop();
  }
}

function statusOf({ state, exitCode, error, wait }: ContainerBody): string {
  if (wait) return wait.text;
  if (state === 'Complete') return `exit ${exitCode}${error === '' ? '' : `, ${error}`}`;
  return error;
}
