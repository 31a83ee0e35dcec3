import type { Command } from 'commander';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { forEachId } from './each-id.js';
import { printable, printJson, printTable } from './output.js';
import type { InstanceBody, Page } from './wire.js';

const orders = {
  hold: 'start no containers on the instance, and keep it',
  drain: 'start no containers on the instance, and destroy it when it is empty',
  run: 'start containers on the instance again',
  kill: 'destroy the instance at once',
} as const;

const instanceColumns = [
  { head: 'instance', priority: 9, least: 40 },
  { head: 'state', priority: 8, least: 20 },
  { head: 'behavior', priority: 4 },
  { head: 'type', priority: 6 },
  { head: '$/h', priority: 3 },
  { head: 'address', priority: 2, least: 21 },
  { head: 'containers', priority: 5, least: 27 },
];

interface ExplanationBody {
  lines: string[];
  /** `at` in epoch ms. */
  history: { at: number; text: string }[];
}

/**
 * Adds `instances`, `hold`, `drain`, `run`, `kill`, `explain`, and `instance …` with the reference's syntax (H-27).
 */
export function addInstanceCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('instances')
    .description('list instances')
    .option('--orphans', 'only orphans: no launch record, and never responded')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean; orphans?: boolean }, command: Command) => {
      const page = await context.client(command).get<Page<InstanceBody>>('/v1/instances');
      const items = options.orphans ? page.items.filter(({ isOrphan }) => isOrphan) : page.items;
      if (options.json) return printJson(output, items);
      printTable(output, instanceColumns, items.map(rowOf));
    });
  for (const [order, description] of Object.entries(orders)) addOrder(program, order, description, context);
  addReferenceWords(program, context);
  program
    .command('explain')
    .description('explain the state of an instance or container, and its history')
    .argument('<id>')
    .option('--json', 'as JSON')
    .action(async (id: string, options: { json?: boolean }, command: Command) => {
      const path = `/v1/explain/${encodeURIComponent(id)}`;
      const explanation = await context.client(command).get<ExplanationBody>(path);
      if (options.json) return printJson(output, explanation);
      const history = explanation.history.map(({ at, text }) => `  ${secondOf(at)}  ${text}`);
      output.write(`${[...explanation.lines, 'History:', ...history].map(printable).join('\n')}\n`);
    });
}

function secondOf(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

function remarkOn({ isOrphan, quarantine, isBeingSetUp, bootStage }: InstanceBody): string | null {
  if (isOrphan) return 'orphan';
  if (quarantine) return 'quarantine';
  return isBeingSetUp ? 'being set up again' : bootStage;
}

function rowOf(each: InstanceBody): string[] {
  const remark = remarkOn(each);
  const state = remark === null ? each.state : `${each.state} (${remark})`;
  return [
    each.instance || '(being created)',
    state,
    each.idleBehavior,
    each.type,
    each.price.toFixed(4),
    each.address || '-',
    each.containers.join(' ') || '-',
  ];
}

function addReferenceWords(program: Command, context: CommandContext): void {
  const { output } = context;
  const instance = program
    .command('instance')
    .description('the same, with the syntax of the dispatcher that Longshore replaces');
  instance
    .command('list')
    .description('tab-separated lines')
    .option('--header', 'with a header line')
    .action(async (options: { header?: boolean }, command: Command) => {
      const { items } = await context.client(command).get<Page<InstanceBody>>('/v1/instances');
      const names = 'instance address state idle-behavior config-type provider-type price running-containers';
      if (options.header) output.write(`${names.replaceAll(' ', '\t')}\n`);
      for (const each of items) {
        const { instance: id, address, state, idleBehavior, type, providerType, price, containers } = each;
        const price6 = price.toFixed(6);
        const fields = [id || '-', address || '-', state, idleBehavior, type, providerType, price6];
        output.write(`${[...fields, containers.join(',') || '-'].join('\t')}\n`);
      }
    });
  for (const [order, description] of Object.entries(orders)) addOrder(instance, order, description, context);
}

function addOrder(program: Command, order: string, description: string, context: CommandContext): void {
  program
    .command(order)
    .description(description)
    .argument('[id...]', 'instance ids')
    .option('--reason <text>', 'why', '')
    .action(async (ids: string[], options: { reason: string }, command: Command) => {
      if (ids.length === 0) throw new ClientError('no instance id given', 2);
      const client = context.client(command);
      await forEachId(ids, context, async (id) => {
        await client.post(`/v1/instances/${encodeURIComponent(id)}/${order}`, options);
        context.output.error(`${id}: 200 OK\n`);
      });
    });
}
