import type { InstanceConduct } from '../../domain/conduct-view.js';
import type { ChartState } from '../../machines/inspection/active-states.js';
import type { WorkerSnapshot } from '../../fleet/worker-registry.js';
import type { Journal, JournalEntry } from '../journal.js';
import type { WaitReason } from '../../policy/wait-reason.js';
import type { ContainerStore } from '../../queue/container-store.js';
import { replayKinds } from '../replay/step-recorder.js';
import { describeContainer } from './describe-container.js';
import { describeWorker } from './describe-worker.js';
import type { Explanation, Told } from './explanation.js';
import { asClause, tellEntry } from './describe-entry.js';
import { dollarText, pastText, spanText } from './format-time.js';

export interface ExplainSources {
  now(): number;
  journal: Pick<Journal, 'read'>;
  store: Pick<ContainerStore, 'find'>;
  snapshot(instanceId: string): WorkerSnapshot | undefined;
  chart(instanceId: string): ChartState | undefined;
  wait(uuid: string): WaitReason | undefined;
  /** What the instance did that it must not; not given: nothing is known. */
  conduct?(instanceId: string): InstanceConduct | undefined;
}

const longestStory = 100;

/** Tells why an instance or a container is as it is; `undefined` when nobody ever heard of it. */
export async function explain(sources: ExplainSources, id: string): Promise<Explanation | undefined> {
  const record = await sources.store.find(id);
  if (!record) return explainInstance(sources, id);
  const entries = await sources.journal.read({ container: id, without: replayKinds, limit: longestStory });
  const lines = describeContainer({ record, wait: sources.wait(id), now: sources.now() });
  return { kind: 'container', id, lines: lines.map(oneFullStop), story: storyOf(entries, id) };
}

async function explainInstance(sources: ExplainSources, id: string): Promise<Explanation | undefined> {
  const snapshot = sources.snapshot(id);
  const entries = await sources.journal.read({ instance: id, without: replayKinds, limit: longestStory });
  if (!snapshot && entries.length === 0) return undefined;
  const now = sources.now();
  const lines = snapshot
    ? describeWorker({
        snapshot,
        chart: sources.chart(id),
        now,
        entered: enteredAt(entries),
        conduct: sources.conduct?.(id),
      })
    : describeGone(id, entries, now);
  return { kind: 'instance', id, lines: lines.map(oneFullStop), story: storyOf(entries, id) };
}

/** The last transition that was more than a stage of the boot, or the first sight of it. */
function enteredAt(entries: readonly JournalEntry[]): { at: number; because: string } | undefined {
  const outer = (state = ''): string => state.split('.')[0]!;
  const last = entries.findLast(
    ({ kind, from, to }) =>
      kind === 'worker.appeared' || (kind === 'worker.transition' && outer(from) !== outer(to)),
  );
  return last && { at: last.at, because: asClause(last.because ?? 'nobody noted why') };
}

function describeGone(id: string, entries: readonly JournalEntry[], now: number): string[] {
  const gone = entries.findLast(({ kind }) => kind === 'worker.gone');
  if (!gone) return [`Instance ${id} is gone. The journal no longer says when or why.`];
  const { type, lifeMs, cost } = gone.data ?? {};
  const ending = entries.findLast(
    ({ kind, from, to }) =>
      kind === 'worker.transition' && to?.startsWith('shutdown') && !from?.startsWith('shutdown'),
  );
  const why = ending
    ? `Its end was decided at ${pastText(ending.at, now)}, because ${asClause(ending.because ?? 'nobody noted why')}.`
    : 'Longshore did not destroy it: the provider took it away, or somebody else destroyed it.';
  return [
    `Instance ${id} (${String(type)}) left the provider’s list at ${pastText(gone.at, now)}.`,
    why,
    `It existed for ${spanText(Number(lifeMs))}, and cost ${dollarText(Number(cost))}.`,
  ];
}

function storyOf(entries: readonly JournalEntry[], id: string): Told[] {
  return asAttempts(entries).flatMap((entry) => {
    const told = tellEntry(entry, id);
    return told ? [{ ...told, text: oneFullStop(told.text) }] : [];
  });
}

/**
 * Journals of version 0.1 called every result of a container `container.complete`, also one that its retry policy
 * followed with another attempt: what goes on later did not end there.
 */
function asAttempts(entries: readonly JournalEntry[]): JournalEntry[] {
  const goesOn = new Set<string>();
  const result: JournalEntry[] = [];
  for (const entry of entries.toReversed()) {
    const { container = '', kind, data } = entry;
    const isOld = kind === 'container.complete' && data?.['attempt'] === undefined;
    if (isOld && goesOn.has(container))
      result.push({ ...entry, kind: 'container.attempt-ended', to: 'Queued' });
    else result.push(entry);
    if (furtherAttempts.has(kind)) goesOn.add(container);
  }
  return result.reverse();
}

/** Only what begins another attempt: a container that ended for good is never chosen or started again. */
const furtherAttempts: ReadonlySet<string> = new Set(['plan.lock', 'plan.start']);

/** Reasons come from many places, some of them as whole sentences. */
function oneFullStop(sentence: string): string {
  return sentence.replace(/\.\.$/, '.').replaceAll('.,', ',').replaceAll('.;', ';');
}
