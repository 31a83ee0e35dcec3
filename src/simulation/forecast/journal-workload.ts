import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ConfigError } from '../../config/config-error.js';
import type { JournalEntry } from '../../journal/journal.js';
import { plainRequest, type WorkItem } from '../workload.js';

interface Past {
  createdAt: number;
  vcpus: number;
  ramBytes: number;
  scratchBytes: number;
  preemptible: boolean;
  priority: string;
  startedAt: number | undefined;
  durationMs: number | undefined;
  exitCode: number;
}

/**
 * The containers of a past journal in JSON lines: when each was asked for, what it needed, how long it ran. Those that
 * were never begun, or had not ended, are left out and counted. Throws {@link ConfigError} for a file that is no journal.
 */
export async function workOfJournal(path: string): Promise<{ work: WorkItem[]; notes: string[] }> {
  const containers = new Map<string, Past>();
  const wrong = (message: string, line?: number): ConfigError =>
    new ConfigError(path, [{ path: '', message, ...(line === undefined ? {} : { line, column: 1 }) }]);
  let line = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      line++;
      if (text.trim() !== '') note(containers, JSON.parse(text) as JournalEntry);
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong('this is no journal entry', line);
    throw wrong(`cannot be read (${(error as NodeJS.ErrnoException).code}): give an exported journal`);
  }
  const past = [...containers.values()];
  const ended = past.filter(({ durationMs }) => durationMs !== undefined);
  if (ended.length === 0) {
    throw wrong('tells of no container that ran to its end: export it with "longshore journal export"');
  }
  const beganAt = ended.reduce((least, { createdAt }) => Math.min(least, createdAt), Infinity);
  const work = ended.map((each, index) => itemOf(each, beganAt, index)).sort((a, b) => a.atMs - b.atMs);
  const left = past.length - ended.length;
  const notes = left === 0 ? [] : [`${left} containers of the journal had not ended and are left out`];
  return { work, notes };
}

function note(containers: Map<string, Past>, { at, kind, container, data }: JournalEntry): void {
  if (container === undefined) return;
  const known = containers.get(container);
  if (kind === 'plan.lock' && data && !known) {
    const { createdAt, vcpus, ramBytes, scratchBytes, preemptible, priority } = data as unknown as Past;
    const size = { createdAt, vcpus, ramBytes, scratchBytes, preemptible, priority };
    containers.set(container, { ...size, startedAt: undefined, durationMs: undefined, exitCode: 0 });
  }
  if (!known) return;
  if (kind === 'container.started') known.startedAt = at;
  if (kind === 'container.complete' && data) {
    const { startedAt, finishedAt, exitCode } = data as Record<string, number>;
    known.durationMs = (finishedAt ?? at) - (startedAt || (known.startedAt ?? at));
    known.exitCode = exitCode ?? 0;
  }
  // One that was cancelled would have run on: how long nobody knows, so it counts with what it ran.
  if (kind === 'container.cancelled' && known.startedAt !== undefined) {
    known.durationMs = at - known.startedAt;
  }
}

function itemOf(past: Past, beganAt: number, index: number): WorkItem {
  const { createdAt, vcpus, ramBytes, scratchBytes, preemptible, priority, durationMs, exitCode } = past;
  return {
    atMs: createdAt - beganAt,
    durationMs: Math.max(1, durationMs ?? 1),
    exitCode,
    request: {
      ...plainRequest,
      name: `past-${index + 1}`,
      constraints: { ...plainRequest.constraints, vcpus, ramBytes },
      scheduling: { ...plainRequest.scheduling, preemptible },
      tmpMountBytes: scratchBytes,
      priority: BigInt(priority),
    },
  };
}
