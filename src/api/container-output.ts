import { setTimeout as pause } from 'node:timers/promises';
import { isFinal } from '../domain/container.js';
import type { ContainerResult } from '../queue/queue.js';
import { ExecutorError } from '../ssh/executor.js';
import type { ApiDeps } from './deps.js';
import { mixedByLine } from './mixed-by-line.js';

type Stream = 'stdout' | 'stderr';
type Sources = Pick<ApiDeps, 'store' | 'pool' | 'tail'>;

/** The exit code of the runner program for a container that it does not know. */
const unknownContainer = 4;
/** How often who follows looks whether the container began, went on elsewhere, or ended. */
const lookMs = 500;
/** The same, when what it prints cannot be had. */
const longestLookMs = 5_000;

/** What was kept of a container that ended. */
export async function* keptOutput(
  kept: Pick<ContainerResult, Stream>,
  streams: readonly Stream[],
): AsyncGenerator<string> {
  for (const stream of streams) yield kept[stream];
}

/** What a container that runs has printed until now, one stream after the other. */
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

/** Its instance was given the container, and has not begun it, or has let go of it: there is nothing to show. */
function isUnknownThere(error: unknown): boolean {
  return error instanceof ExecutorError && error.code === 'exit' && error.exitCode === unknownContainer;
}

/**
 * What a container prints until it ended for good, as it comes: from before it begins, over lost connections, and over
 * further attempts, each from its beginning. Several streams are mixed line by line. Who does not read holds nobody up
 * but himself.
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
    // A number of its own for each: one that ran nothing is not charged.
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
        // Each look has a signal of its own, or listeners would pile up on the one.
        for await (const piece of tail(view, uuid, stream, true, AbortSignal.any([signal]))) {
          yield piece.slice(Math.max(0, sent - read));
          read += piece.length;
          sent = Math.max(sent, read);
        }
        pauseMs = lookMs;
      } catch (error) {
        // The connection is made anew, or the container is found elsewhere, or what was kept tells the rest.
        // Who waits for a session that others have gets that told, not silence.
        if (!(error instanceof ExecutorError) || error.code === 'session-limit') throw error;
        pauseMs = Math.min(longestLookMs, 2 * pauseMs);
      }
    }
    await pause(pauseMs, undefined, { signal }).catch(() => {});
  }
}
