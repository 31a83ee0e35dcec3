import { setTimeout as pause } from 'node:timers/promises';
import { isFinal } from '../domain/container.js';
import { ExecutorError } from '../ssh/executor.js';
import type { ApiDeps } from './deps.js';
import { mixedByLine } from './merge-lines.js';
import type { ContainerResult } from '../domain/container-work.js';

type Stream = 'stdout' | 'stderr';
type Sources = Pick<ApiDeps, 'store' | 'pool' | 'tail'>;

/** Exit code of the runner program for an unknown container. */
const unknownContainer = 4;
/** Interval at which a follower checks whether the container started, moved to another instance, or ended. */
const lookMs = 500;
/** The same interval while the output is not available. */
const longestLookMs = 5_000;

/** Returns the stored output of an ended container. */
export async function* keptOutput(
  kept: Pick<ContainerResult, Stream>,
  streams: readonly Stream[],
): AsyncGenerator<string> {
  for (const stream of streams) yield kept[stream];
}

/** Yields the output of a running container until now, one stream after the other. */
export async function* presentOutput(
  { pool, tail }: Sources,
  uuid: string,
  streams: readonly Stream[],
  signal: AbortSignal,
): AsyncGenerator<string> {
  const view = pool.instances().find(({ containerUuids }) => containerUuids.includes(uuid));
  if (!view) return;
  try {
    for (const stream of streams) yield* tail(view, uuid, stream, false, signal);
  } catch (error) {
    if (!isUnknownThere(error)) throw error;
  }
}

/** The instance has not started the container yet, or has discarded it: there is no output. */
function isUnknownThere(error: unknown): boolean {
  return error instanceof ExecutorError && error.code === 'exit' && error.exitCode === unknownContainer;
}

/**
 * Yields the output of a container, live, until the container ends: from before its start, across lost connections, and
 * for further attempts, each from its beginning. Merges several streams by line. A slow reader blocks only its own stream.
 */
export function followedOutput(
  sources: Sources,
  uuid: string,
  streams: readonly Stream[],
  signal: AbortSignal,
): AsyncGenerator<string> {
  const followed = streams.map((stream) => followStream(sources, uuid, stream, signal));
  return followed.length === 1 ? followed[0]! : mixedByLine(followed);
}

async function* followStream(
  { store, pool, tail }: Sources,
  uuid: string,
  stream: Stream,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let attempt: number | undefined;
  let sent = 0;
  let pauseMs = lookMs;
  while (!signal.aborted) {
    const record = await store.find(uuid);
    // Counted separately from charged attempts: a start that ran nothing is not charged.
    const now = record?.attempt ?? record?.attempts;
    if (now !== attempt) sent = 0;
    attempt = now;
    if (!record || isFinal(record.state)) {
      const kept = await store.output(uuid);
      if (kept) yield kept[stream].slice(sent);
      return;
    }
    const view = pool
      .instances()
      .find(
        ({ instanceId, containerUuids }) =>
          containerUuids.includes(uuid) && (!record.instanceId || instanceId === record.instanceId),
      );
    if (view && record.state === 'Running') {
      let read = 0;
      try {
        // Each check has its own signal; listeners would pile up on a shared one.
        for await (const piece of tail(view, uuid, stream, true, AbortSignal.any([signal]))) {
          yield piece.slice(Math.max(0, sent - read));
          read += piece.length;
          sent = Math.max(sent, read);
        }
        pauseMs = lookMs;
      } catch (error) {
        // The connection is reopened, or the container is found elsewhere, or the store has the rest.
        // A reader without a free session gets the error instead of silence.
        if (!(error instanceof ExecutorError) || error.code === 'session-limit') throw error;
        pauseMs = Math.min(longestLookMs, 2 * pauseMs);
      }
    }
    await pause(pauseMs, undefined, { signal }).catch(() => {});
  }
}
