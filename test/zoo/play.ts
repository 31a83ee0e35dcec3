import { findTool } from '../support/tools.js';
import { phases, type Kind } from './kind.js';
import { plays, type Course } from './phases.js';
import { openWorld } from './world.js';

/** One case: a kind crossed with a phase, or one of its scenes. */
export interface CaseResult {
  kind: string;
  name: string;
  /** What is not as it should be. */
  fault?: string;
  durationMs: number;
}

/** A program that the kind's hosts need and this machine lacks. */
export function missingFor(kind: Kind): string | undefined {
  const needs = [...(kind.needs ?? []), ...(kind.habits.user === 'worker' ? ['sudo'] : [])];
  return needs.find((name) => findTool(name) === undefined);
}

export function casesOf(kind: Kind): string[] {
  return [...phases, ...(kind.scenes ?? []).map(({ name }) => name)];
}

/**
 * Plays all cases of a kind against a daemon of its own. Never rejects: what goes wrong is the fault of its case, and those
 * after it, for which there is nothing to stand on any more, say so. `program`: the words before the daemon's own.
 */
export async function playKind(
  kind: Kind,
  program: readonly string[],
  signal?: AbortSignal,
): Promise<{ results: CaseResult[]; log: string }> {
  const results: CaseResult[] = [];
  let log = '';
  const add = async (name: string, play: () => Promise<void>): Promise<void> => {
    const startedAt = Date.now();
    const isOut = kind.outcome.is !== 'refused' && results[0]?.fault !== undefined;
    const fault = isOut ? 'not reached: boot failed' : await play().then(() => undefined, describeFault);
    const durationMs = Date.now() - startedAt;
    results.push({ kind: kind.name, name, durationMs, ...(fault === undefined ? {} : { fault }) });
  };
  try {
    const world = await openWorld(kind, program);
    const onAbort = (): void => void world.close();
    signal?.addEventListener('abort', onAbort);
    try {
      const course: Course = { world, short: [], long: '', oddIds: new Set() };
      for (const phase of phases) await add(phase, () => plays[phase](course));
      for (const { name, play } of kind.scenes ?? []) await add(name, () => play(world));
    } finally {
      signal?.removeEventListener('abort', onAbort);
      log = world.daemon.said;
      await world.close();
    }
  } catch (error) {
    for (const name of casesOf(kind).slice(results.length)) {
      results.push({ kind: kind.name, name, durationMs: 0, fault: describeFault(error) });
    }
  }
  return { results, log };
}

function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause =
    error.cause instanceof Error && error.message === 'fetch failed' ? `: ${error.cause.message}` : '';
  return error.message + cause;
}
