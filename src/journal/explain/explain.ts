import type { InstanceConduct } from '../../domain/conduct-view.js';
import type { ChartState } from '../../machines/inspection/active-states.js';
import type { Journal, JournalEntry } from '../journal.js';
import type { WaitReason } from '../../policy/wait-reason.js';
import type { ContainerStore } from '../../queue/container-store.js';
import { replayKinds } from '../replay/step-recorder.js';
import { describeContainer } from './describe-container.js';
import { describeWorker } from './describe-worker.js';
import type { Explanation, Narration } from './explanation.js';
import { asClause, describeEntry } from './describe-entry.js';
import { dollarText, pastText, spanText } from './format-time.js';
import type { WorkerSnapshot } from '../../machines/worker.js';

export interface ExplainSources {
  now(): number;
  journal: Pick<Journal, 'read'>;
  store: Pick<ContainerStore, 'find'>;
  snapshot(instanceId: string): WorkerSnapshot | undefined;
  chart(instanceId: string): ChartState | undefined;
  wait(uuid: string): WaitReason | undefined;
  /** Violations of the instance; missing: unknown. */
  conduct?(instanceId: string): InstanceConduct | undefined;
}

const maxEntries = 100;

/** Explains the state of an instance or a container; `undefined` for an unknown id. */
export async function explain(sources: ExplainSources, id: string): Promise<Explanation | undefined> {
  const record = await sources.store.find(id);
  if (!record) return explainInstance(sources, id);
  const entries = await sources.journal.read({ container: id, without: replayKinds, limit: maxEntries });
  const lines = describeContainer({ record, wait: sources.wait(id), now: sources.now() });
  return { kind: 'container', id, lines: lines.map(oneFullStop), history: historyOf(entries, id) };
}

async function explainInstance(sources: ExplainSources, id: string): Promise<Explanation | undefined> {
  const snapshot = sources.snapshot(id);
  const entries = await sources.journal.read({ instance: id, without: replayKinds, limit: maxEntries });
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
  return { kind: 'instance', id, lines: lines.map(oneFullStop), history: historyOf(entries, id) };
}

/** Returns the last transition that was more than a boot stage, or the first listing. */
function enteredAt(entries: readonly JournalEntry[]): { at: number; because: string } | undefined {
  const outer = (state = ''): string => state.split('.')[0]!;
  const last = entries.findLast(
    ({ kind, from, to }) =>
      kind === 'worker.appeared' || (kind === 'worker.transition' && outer(from) !== outer(to)),
  );
  return last && { at: last.at, because: asClause(last.because ?? 'no reason was recorded') };
}

function describeGone(id: string, entries: readonly JournalEntry[], now: number): string[] {
  const gone = entries.findLast(({ kind }) => kind === 'worker.gone');
  if (!gone) return [`Instance ${id} has terminated. The journal no longer has the time or the cause.`];
  const { type, lifeMs, cost } = gone.data ?? {};
  const ending = entries.findLast(
    ({ kind, from, to }) =>
      kind === 'worker.transition' && to?.startsWith('shutdown') && !from?.startsWith('shutdown'),
  );
  const why = ending
    ? `Its end was decided at ${pastText(ending.at, now)}, because ${asClause(ending.because ?? 'no reason was recorded')}.`
    : 'Longshore did not destroy it: the provider or another client did.';
  return [
    `Instance ${id} (${String(type)}) left the provider’s list at ${pastText(gone.at, now)}.`,
    why,
    `It existed for ${spanText(Number(lifeMs))} and cost ${dollarText(Number(cost))}.`,
  ];
}

function historyOf(entries: readonly JournalEntry[], id: string): Narration[] {
  return asAttempts(entries).flatMap((entry) => {
    const narration = describeEntry(entry, id);
    return narration ? [{ ...narration, text: oneFullStop(narration.text) }] : [];
  });
}

/**
 * Journals of version 0.1 called every result of a container `container.complete`, also one that its retry policy
 * followed with another attempt: a container with later entries did not end there.
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

/** Entries that begin another attempt: an ended container is never selected or started again. */
const furtherAttempts: ReadonlySet<string> = new Set(['plan.lock', 'plan.start']);

/** Makes a clause of a reason, since some reasons are whole sentences. */
function oneFullStop(sentence: string): string {
  return sentence.replace(/\.\.$/, '.').replaceAll('.,', ',').replaceAll('.;', ';');
}
