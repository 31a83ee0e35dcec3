import * as z from 'zod';
import { cleanNotice } from '../domain/clean-notice.js';
import type { MeasuredRun, RunTimes } from './result-times.js';
import type { ContainerResult } from '../domain/container-work.js';

/** Characters of a note that are passed on. */
const longestNote = 1_000;
/** Characters of what an engine says that are passed on. */
const longestFault = 600;

const header = z.object({
  uuid: z.string(),
  exitCode: z.int().min(0).max(255),
  /** By the clock of the host: shown, never reckoned with. */
  startedAt: z.int().min(0),
  finishedAt: z.int().min(0),
  /** By its uptime; not given where that cannot be read, or by an earlier version of the program. */
  durationMs: z.int().min(0).optional(),
  endedAgoMs: z.int().min(0).optional(),
  stdoutBytes: z.int().min(0),
  stderrBytes: z.int().min(0),
  timedOut: z.boolean(),
  truncated: z.boolean(),
  lost: z.boolean().default(false),
  /** Runner programs before 0.2 record none. */
  attempt: z.int().min(1).optional(),
  /** Why a container engine did not run it, or does not say how it ended. */
  fault: z.object({ kind: z.enum(['instance', 'image', 'run']), text: z.string() }).optional(),
  note: z.string(),
});

/** What `--collect` printed. */
export interface CollectedResult extends Omit<ContainerResult, 'startedAt' | 'finishedAt'>, MeasuredRun {
  /** By the clock of the host. */
  hostTimes: RunTimes;
  /** The program that watched over the container died first: nobody knows how it ended, and the exit code means nothing. */
  isLost: boolean;
  /** The attempt that the start command named; not given: the runner program recorded none. */
  attempt?: number;
  /**
   * It did not end by itself: the exit code means nothing. `instance`: nothing ran, as the engine there does not work;
   * `image`: its image cannot be had there; `run`: the engine gave it up.
   */
  fault?: { kind: 'instance' | 'image' | 'run'; text: string };
}

/** What `--collect` printed is not a result. */
export class CollectError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'CollectError';
  }
}

/** Reads the output of `--collect UUID`: a line of JSON, then stdout and stderr in base64. Throws {@link CollectError}. */
export function parseCollected(uuid: string, text: string): CollectedResult {
  const [first = '', stdout = '', stderr = ''] = text.split('\n');
  let json: unknown;
  try {
    json = JSON.parse(first);
  } catch (cause) {
    throw new CollectError('the runner program did not print a result', { cause });
  }
  const parsed = header.safeParse(json);
  if (!parsed.success)
    throw new CollectError(`the result of the runner program is damaged: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.uuid !== uuid)
    throw new CollectError('the runner program printed the result of another container');
  const { exitCode, startedAt, finishedAt, note, timedOut, truncated, lost, stdoutBytes, stderrBytes } =
    parsed.data;
  const { attempt, durationMs, endedAgoMs, fault } = parsed.data;
  const notes = [note, truncated ? 'output beyond the limit was dropped' : ''].filter((part) => part !== '');
  return {
    exitCode,
    hostTimes: { startedAt, finishedAt },
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(endedAgoMs === undefined ? {} : { endedAgoMs }),
    note: cleanNotice(notes.join('; '), longestNote),
    stdout: decode(stdout, stdoutBytes),
    stderr: decode(stderr, stderrBytes),
    isLost: lost,
    ...(attempt === undefined ? {} : { attempt }),
    ...(fault && { fault: { kind: fault.kind, text: cleanNotice(fault.text, longestFault) } }),
    ...(timedOut ? { timedOut } : {}),
  };
}

/** Bytes that are no UTF-8 become replacement characters. */
function decode(base64: string, bytes: number): string {
  const decoded = Buffer.from(base64, 'base64');
  if (decoded.length !== bytes)
    throw new CollectError('the output in the result of the runner program is incomplete');
  return decoded.toString('utf8');
}
