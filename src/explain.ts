import type { WorkerSnapshot } from './actors/roster.js';
import type { Explanation } from './api/deps.js';
import { formatDuration } from './domain/duration.js';
import type { Journal, JournalEntry } from './journal/journal.js';
import { nameOf } from './journal/worker-story.js';
import { describeWait, unblocks, type WaitReason } from './policy/wait-reason.js';
import { replayKinds } from './replay/step-recorder.js';
import type { ContainerStore } from './queue/container-store.js';

export interface ExplainSources {
  now(): number;
  journal: Journal;
  store: ContainerStore;
  snapshot(instanceId: string): WorkerSnapshot | undefined;
  wait(uuid: string): WaitReason | undefined;
}

const longestStory = 40;

/** Tells why an instance or a container is as it is; `undefined` when nobody ever heard of it. */
export async function explain(sources: ExplainSources, id: string): Promise<Explanation | undefined> {
  const record = await sources.store.find(id);
  if (record) {
    const wait = sources.wait(id);
    const lines = [`Container ${id}${record.name === '' ? '' : ` (${record.name})`} is ${record.state}.`];
    if (record.state === 'Queued' || record.state === 'Locked')
      lines.push(
        ...(wait ? [describeWait(wait), unblocks(wait)] : ['The next scheduling pass decides about it.']),
      );
    if (record.instanceId !== '')
      lines.push(
        `It runs or ran on ${record.instanceId} (${record.instanceTypeName}), attempt ${record.attempts} of ${record.maxAttempts}.`,
      );
    if (record.exitCode !== undefined) lines.push(`It exited with status ${record.exitCode}.`);
    if (record.startedAt !== undefined && record.finishedAt !== undefined) {
      lines.push(
        `It ran for ${formatDuration(record.finishedAt - record.startedAt)}${record.cost === undefined ? '' : ` and cost $${record.cost.toFixed(6)}`}.`,
      );
    }
    if (record.error !== '') lines.push(record.error);
    const story = await sources.journal.read({ container: id, without: replayKinds, limit: longestStory });
    return { kind: 'container', id, lines: [...lines, ...story.map(tell)] };
  }
  const snapshot = sources.snapshot(id);
  const story = await sources.journal.read({ instance: id, without: replayKinds, limit: longestStory });
  if (!snapshot && story.length === 0) return undefined;
  const lines = snapshot ? describeWorker(snapshot, sources.now()) : [`Instance ${id} is gone.`];
  return { kind: 'instance', id, lines: [...lines, ...story.map(tell)] };
}

function describeWorker({ context, value }: WorkerSnapshot, now: number): string[] {
  const { settings } = context;
  const lines = [
    `Instance ${context.instance.id} (${context.instanceType.name}) is ${nameOf(value.lifecycle)}, behavior ${context.idleBehavior} (${context.behaviorBecause}).`,
  ];
  const runners = Object.keys(context.runners);
  if (runners.length > 0) lines.push(`On it: ${runners.join(', ')}.`);
  if (value.lifecycle === 'idle' && context.idleBehavior === 'run') {
    const leftMs = Math.max(0, context.busyAt + settings.timeoutIdleMs - now);
    lines.push(`It is destroyed for idling in ${formatDuration(leftMs)} unless a container comes.`);
  }
  if (context.shutdownAt !== undefined) lines.push(`It is being destroyed: ${context.shutdownBecause}.`);
  if (context.lastFailure) lines.push(`Its last failure: ${context.lastFailure.message}.`);
  lines.push(`It last answered a probe ${formatDuration(now - context.probedAt)} ago.`);
  return lines;
}

function tell(entry: JournalEntry): string {
  const change = entry.from === undefined ? entry.kind : `${entry.from} → ${entry.to}`;
  return `${new Date(entry.at).toISOString()} ${change}${entry.because === undefined ? '' : `: ${entry.because}`}`;
}
