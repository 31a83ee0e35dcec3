import { describeWait, unblocks, type WaitReason } from '../../policy/wait-reason.js';
import type { ContainerRecord } from '../../queue/container-store.js';
import { dollarText, pastText, spanText } from './format-time.js';

export interface ContainerFacts {
  record: ContainerRecord;
  wait: WaitReason | undefined;
  now: number;
}

/** How a container is and why, what it waits for, and what its run cost. */
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
  if (!wait) return ['The scheduler has not looked at it yet.'];
  const lines = [describeWait(wait), `What ends that: ${unblocks(wait)}`];
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
    lines.push(`It was cancelled: ${error === '' ? 'nobody said why' : error}.`);
  } else if (error !== '') {
    lines.push(`${error}.`);
  }
  if (exitCode !== undefined) lines.push(`It exited with status ${exitCode}.`);
  if (finishedAt === undefined) return lines;
  const ran = startedAt === undefined ? '' : ` It ran for ${spanText(finishedAt - startedAt)}`;
  const paid =
    ran === '' || cost === undefined
      ? ''
      : ` and cost ${dollarText(cost)}${attempts > 1 ? `, all ${attempts} attempts together` : ''}`;
  lines.push(`It ended at ${pastText(finishedAt, now)}.${ran}${paid}${ran === '' ? '' : '.'}`);
  return lines;
}
