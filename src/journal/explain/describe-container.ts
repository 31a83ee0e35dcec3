import { describeWait, unblocks, type WaitReason } from '../../policy/wait-reason.js';
import type { ContainerRecord } from '../../queue/container-store.js';
import { dollarText, pastText, spanText } from './format-time.js';

export interface ContainerFacts {
  record: ContainerRecord;
  wait: WaitReason | undefined;
  now: number;
}

/** Describes the state of a container with its cause, what it waits for, and the cost of its run. */
export function describeContainer(facts: ContainerFacts): string[] {
  return [stateSentence(facts), ...waitSentences(facts), ...runSentences(facts), ...endSentences(facts)];
}

function stateSentence({ record, now }: ContainerFacts): string {
  const name = record.name === '' ? '' : ` (${record.name})`;
  const asked = `submitted at ${pastText(record.createdAt, now)}`;
  return `Container ${record.uuid}${name} is ${record.state}, ${asked}, priority ${record.priority}.`;
}

function waitSentences({ record, wait }: ContainerFacts): string[] {
  if (record.state !== 'Queued' && record.state !== 'Locked') return [];
  if (!wait) return ['It waits for its first scheduling pass.'];
  const lines = [describeWait(wait), `What ends the wait: ${unblocks(wait)}`];
  if (record.attempts > 0)
    lines.push(`It was started ${record.attempts === 1 ? 'once' : `${record.attempts} times`} before.`);
  return lines;
}

function runSentences({ record, now }: ContainerFacts): string[] {
  const { instanceId, instanceTypeName, attempts, maxAttempts, startedAt, state } = record;
  if (instanceId === '') return [];
  const verb = state === 'Running' ? 'runs' : 'ran';
  const since = startedAt === undefined ? '' : ` from ${pastText(startedAt, now)}`;
  return [
    `It ${verb} on ${instanceId} (${instanceTypeName})${since}, attempt ${attempts} of ${maxAttempts}.`,
  ];
}

function endSentences({ record, now }: ContainerFacts): string[] {
  const { exitCode, error, startedAt, finishedAt, cost, state, attempts } = record;
  const lines: string[] = [];
  if (state === 'Cancelled') {
    lines.push(`It was cancelled: ${error === '' ? 'no reason was given' : error}.`);
  } else if (error !== '') {
    lines.push(`${error}.`);
  }
  if (exitCode !== undefined) lines.push(`It exited with status ${exitCode}.`);
  if (finishedAt === undefined) return lines;
  const ran = startedAt === undefined ? '' : ` It ran for ${spanText(finishedAt - startedAt)}`;
  const paid =
    ran === '' || cost === undefined
      ? ''
      : ` and cost ${dollarText(cost)}${attempts > 1 ? `, including all ${attempts} attempts` : ''}`;
  lines.push(`It ended at ${pastText(finishedAt, now)}.${ran}${paid}${ran === '' ? '' : '.'}`);
  return lines;
}
