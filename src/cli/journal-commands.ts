import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { parseDuration } from '../domain/duration.js';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { startProgress } from './output.js';

interface ExportOptions {
  instance?: string;
  container?: string;
  kind?: string;
  since?: string;
  limit?: string;
  steps?: true;
  output?: string;
}

/** Adds `journal export`. */
export function addJournalCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const journal = program.command('journal').description('the record of events and their causes');
  journal
    .command('export')
    .description('write the journal as JSON lines, oldest first')
    .option('--instance <id>', 'only entries of this instance')
    .option('--container <uuid>', 'only entries of this container')
    .option('--kind <kind>', 'only entries of this kind, such as worker.transition')
    .option(
      '--since <when>',
      'only later entries: a duration such as 24h, or a time such as 2026-11-21T08:00:00Z',
    )
    .option('--limit <n>', 'maximum number of entries')
    .option('--steps', 'with the steps of workers, for "longshore replay"')
    .option('-o, --output <file>', 'write to a file instead of standard output')
    .addHelpText('after', '\nExample:\n  longshore journal export --since 24h --steps -o yesterday.jsonl')
    .action(async (options: ExportOptions, command: Command) => {
      const path = `/v1/journal/export?${queryOf(options).toString()}`;
      const text = context.client(command).stream(path);
      if (options.output === undefined) {
        for await (const part of text) output.write(part);
        return;
      }
      const progress = startProgress(output, 'exporting');
      let lines = 0;
      async function* counted(): AsyncGenerator<string> {
        for await (const part of text) {
          lines += part.split('\n').length - 1;
          progress.text = `${lines} entries`;
          yield part;
        }
      }
      try {
        await pipeline(counted, createWriteStream(options.output, { mode: 0o600 }));
      } finally {
        progress.stop();
      }
      output.error(`wrote ${lines} entries to ${options.output}\n`);
    });
}

function queryOf({ instance, container, kind, since, limit, steps }: ExportOptions): URLSearchParams {
  const query = new URLSearchParams();
  const given = { instance, container, kind, limit, steps: steps ? '1' : undefined };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, value);
  if (since !== undefined) query.set('since', String(sinceAt(since)));
  return query;
}

/** Epoch ms. */
function sinceAt(text: string): number {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const at = Date.parse(text);
    if (!Number.isNaN(at)) return at;
  } else {
    try {
      return Date.now() - parseDuration(text);
    } catch {
      // Told below.
    }
  }
  throw new ClientError(
    `--since: "${text}" is neither a duration such as 24h nor a time such as 2026-11-21`,
    2,
  );
}
