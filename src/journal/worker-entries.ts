import type { EventObject } from 'xstate';
import { isSameState, nameOf } from '../domain/state-value.js';
import type { RemoteOutcome } from '../machines/worker-effects.js';
import type { StepFacts } from '../machines/inspection/observe-transitions.js';
import type { JournalEntry } from './journal.js';
import type { WorkerSnapshot } from '../machines/worker.js';

/** What each event means, in words an operator understands; others are told by their name. */
const causes: Readonly<Record<string, string>> = {
  'instance.listed': 'the provider’s list showed it',
  'instance.missing': 'it left the provider’s list',
  'connection.established': 'an SSH server answered',
  'connection.verified': 'the host proved to be this instance',
  'scheduler.shutdown': 'the scheduler wants it gone',
  'operator.kill': 'an operator wants it gone',
  'probe.due': 'a probe round ended',
  'xstate.init': 'it was created or found',
  'xstate.done.actor.bootProbe': 'the boot probe succeeded',
  'xstate.done.actor.copyRunner': 'the runner program is in place',
  'xstate.done.actor.runProbe': 'the run probe succeeded',
  'xstate.done.actor.destroyInstance': 'the provider accepted the order to destroy it',
  'runner.gaveUp': 'a container could not be stopped or collected',
  'watch.ended': 'a container ended there',
  'watch.started': 'a container was seen there',
};

/** The same for effects that failed; the failure follows. */
const failures: Readonly<Record<string, string>> = {
  'xstate.done.actor.bootProbe': 'the boot probe failed',
  'xstate.done.actor.copyRunner': 'the runner program could not be copied',
  'xstate.done.actor.runProbe': 'the run probe failed',
  'xstate.done.actor.destroyInstance': 'the provider did not accept the order to destroy it',
};

/** How the last container on an instance came to its end. */
const lastEndings: Readonly<Record<string, string>> = {
  collected: 'ended',
  missing: 'has no process there any more',
  killed: 'was stopped',
  lost: 'was given up',
  refused: 'could not be started',
};

const watched = ['lifecycle', 'idleBehavior'] as const;

/** What a step of a worker is worth writing down: changes of its life and of the operator's wish, each with its cause. */
export function storyOf(
  event: EventObject,
  before: WorkerSnapshot,
  after: WorkerSnapshot,
  step: StepFacts,
): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const region of watched) {
    if (isSameState(before.value[region], after.value[region])) continue;
    const from = nameOf(before.value[region]);
    const to = nameOf(after.value[region]);
    entries.push({
      at: step.at,
      kind: region === 'lifecycle' ? 'worker.transition' : 'worker.behavior',
      instance: after.context.instance.id,
      from,
      to,
      event: event.type,
      because: region === 'lifecycle' ? lifecycleCause(event, to, after) : after.context.behaviorBecause,
      data: { guards: step.guards() },
    });
  }
  return entries.concat(foundContainers(event, before, after, step));
}

/** Containers that nobody here put on the instance: an earlier daemon did, or another one. */
function foundContainers(
  event: EventObject,
  before: WorkerSnapshot,
  after: WorkerSnapshot,
  { at }: StepFacts,
): JournalEntry[] {
  const known = before.context.runners;
  if (known === after.context.runners || event.type === 'container.assigned') return [];
  return Object.keys(after.context.runners)
    .filter((uuid) => !(uuid in known))
    .map((container) => ({
      at,
      kind: 'container.found',
      instance: after.context.instance.id,
      container,
      event: event.type,
      because: 'the instance has it, and this daemon did not put it there',
    }));
}

function lifecycleCause(event: EventObject, to: string, after: WorkerSnapshot): string {
  const { context } = after;
  if (to === 'shutdown.destroying' || to === 'shutdown') {
    const failure = context.lastFailure;
    const last = failure ? `; the last failure was: ${failure.message}` : '';
    const who = {
      'operator.kill': 'an order came: ',
      'scheduler.shutdown': 'the scheduler wants it gone: ',
    };
    return `${who[event.type as keyof typeof who] ?? ''}${context.shutdownBecause}${last}`;
  }
  if (event.type === 'container.assigned')
    return `container ${(event as unknown as { uuid: string }).uuid} was given to it`;
  const { output } = event as { output?: RemoteOutcome | { ending: string } };
  if (output && 'ok' in output && !output.ok && failures[event.type] !== undefined)
    return `${failures[event.type]}: ${output.message}`;
  const known = causes[event.type] ?? (event.type.startsWith('xstate.after') ? 'its time was up' : undefined);
  if (known !== undefined) return known;
  const { actorId } = event as { actorId?: string };
  if (actorId === undefined) return event.type;
  const ending = output && 'ending' in output ? lastEndings[output.ending] : undefined;
  return `container ${actorId} ${ending ?? 'ended'}`;
}
