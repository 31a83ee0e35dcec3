import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { JournalEntry } from '../journal.js';
import { replay, ReplayError, type Replay } from './replay.js';
import { isForReplay } from './step-recorder.js';

const mostNamed = 20;

/**
 * Makes the steps of one worker again from a journal in JSON lines, such as `longshore journal export --steps` or a
 * simulation writes. Without `instance` the journal must be of one instance only. Throws {@link ReplayError} for a file
 * that is no journal, or that tells nothing of the instance.
 */
export async function replayFile(path: string, instance: string | undefined): Promise<Replay> {
  const entries: JournalEntry[] = [];
  const instances = new Map<string, number>();
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    number++;
    if (line.trim() === '') continue;
    const entry = entryOf(line, path, number);
    if (!isForReplay(entry) || entry.instance === undefined) continue;
    instances.set(entry.instance, (instances.get(entry.instance) ?? 0) + 1);
    if (instance === undefined ? instances.size === 1 : entry.instance === instance) entries.push(entry);
  }
  if (instances.size === 0) {
    throw new ReplayError(
      `${path} has no steps of workers: export it with "longshore journal export --steps"`,
    );
  }
  const names = namesOf(instances);
  if (instance === undefined && instances.size > 1) {
    throw new ReplayError(`${path} tells of ${instances.size} instances: choose one by --instance. ${names}`);
  }
  const chosen = instance ?? [...instances.keys()][0]!;
  if (!instances.has(chosen)) throw new ReplayError(`${path} tells nothing of ${chosen}. ${names}`);
  return replay(chosen, entries);
}

function entryOf(line: string, path: string, number: number): JournalEntry {
  try {
    const entry = JSON.parse(line) as Partial<JournalEntry> | null;
    if (typeof entry?.kind === 'string' && typeof entry.at === 'number') return entry as JournalEntry;
  } catch {
    // Told below.
  }
  throw new ReplayError(`${path}, line ${number}: this is no journal entry`);
}

function namesOf(instances: ReadonlyMap<string, number>): string {
  const most = [...instances].sort((a, b) => b[1] - a[1]).slice(0, mostNamed);
  const rest = instances.size - most.length;
  const list = most.map(([id, count]) => `${id} (${count} steps)`).join(', ');
  return `There are: ${list}${rest > 0 ? `, and ${rest} more` : ''}.`;
}
