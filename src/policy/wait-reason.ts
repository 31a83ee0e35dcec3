import type { Container } from '../domain/container.js';

/** Why a container does not run yet; one for each that waits (scheduler section 7). */
export type WaitReason =
  | { code: 'preparing' }
  /** It came after the last pass. */
  | { code: 'unplanned' }
  | { code: 'priority-zero'; state: string }
  | { code: 'supervisor-limit'; position: number }
  | { code: 'previous-attempt' }
  | { code: 'new-instance'; instanceType: string }
  | { code: 'locking' }
  | {
      code: 'types-at-capacity';
      position: number;
      instanceTypes: string;
      /** Of its types, the breaker that is tried again first, and when. */
      breaker?: string;
      until?: number | undefined;
    }
  | { code: 'paced'; position: number; retryAt: number | undefined }
  | { code: 'protected'; position: number; until: number | undefined; because: string }
  | { code: 'backing-off'; until: number }
  /** Every instance that could take it failed to start it a while ago. */
  | { code: 'avoiding'; until: number }
  | { code: 'cloud-limit'; position: number; because?: string; until?: number | undefined }
  | { code: 'cluster-limit'; position: number };

/** What holds it up, in one sentence for a tired operator. */
export function describeWait(reason: WaitReason): string {
  const text = sentenceOf(reason);
  const position = positionOf(reason);
  return position === undefined ? text : `It is number ${position} in line: ${text}`;
}

function sentenceOf(reason: WaitReason): string {
  switch (reason.code) {
    case 'unplanned':
      return 'The next scheduling pass decides about it.';
    case 'preparing':
      return 'It has an instance, where it is being started.';
    case 'priority-zero':
      return `It is held back because its priority is 0 (state ${reason.state}).`;
    case 'supervisor-limit':
      return 'as many workflow runners as may run at once do.';
    case 'previous-attempt':
      return 'An earlier attempt at it has not ended yet.';
    case 'new-instance':
      return `An instance of type ${reason.instanceType} is being made ready for it.`;
    case 'locking':
      return 'It was chosen to run and is being locked.';
    case 'types-at-capacity':
      return `the provider has none of the instance types that fit (${reason.instanceTypes}) now.`;
    case 'paced':
      return reason.retryAt === undefined
        ? 'as many requests for instances as may be are under way.'
        : 'the provider slows down requests for instances.';
    case 'protected':
      return `no instance is asked for, because ${reason.because}.`;
    case 'backing-off':
      return 'Its last attempt failed; it pauses before the next one.';
    case 'avoiding':
      return 'It could not be started on the only instance that could take it; that one is tried again after a pause.';
    case 'cloud-limit':
      return `no more instances can be created: ${reason.because ?? 'quota or pool.maxInstances'}.`;
    case 'cluster-limit':
      return 'as many containers as may run at present do.';
  }
}

/** What has to happen for it to go on, and what an operator can do about it. */
export function unblocks(reason: WaitReason): string {
  switch (reason.code) {
    case 'unplanned':
    case 'preparing':
    case 'locking':
      return 'Nothing is needed: it takes a moment.';
    case 'priority-zero':
      return 'Give it a priority above 0.';
    case 'supervisor-limit':
      return 'A workflow runner that ends, or a larger scheduler.supervisorFraction.';
    case 'previous-attempt':
      return 'The end of the earlier attempt: its process is asked to end, or its result is on its way.';
    case 'new-instance':
      return 'The end of the boot: "longshore instances" shows how far it is.';
    case 'types-at-capacity':
      return `Capacity at the provider, tried again ${reason.until === undefined ? 'by itself' : `at ${timeText(reason.until)} (breaker "${reason.breaker}")`}, or more instance types that fit.`;
    case 'paced':
      return reason.retryAt === undefined
        ? 'The answer to a request under way, or a larger pool.maxConcurrentCreates.'
        : `The next request, at ${timeText(reason.retryAt)}.`;
    case 'protected':
      return `One instance that boots: the next is tried ${reason.until === undefined ? 'now' : `at ${timeText(reason.until)}`}, or at once after "longshore breakers reset 'boot: all'".`;
    case 'backing-off':
      return `The end of the pause, at ${timeText(reason.until)}.`;
    case 'avoiding':
      return `The end of the pause, at ${timeText(reason.until)}, or another instance that can take it ("longshore explain" on the container shows why the start failed).`;
    case 'cloud-limit':
      return `An instance that terminates, ${reason.until === undefined ? '' : `the next trial at ${timeText(reason.until)} (breaker "quota"), `}a larger quota at the provider, or a larger pool.maxInstances.`;
    case 'cluster-limit':
      return 'A container that ends; the limit grows by itself while the server is not overloaded.';
  }
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}

/** Its number in line; `undefined` for one that is being served or is held back. */
export function positionOf(reason: WaitReason): number | undefined {
  return 'position' in reason ? reason.position : undefined;
}

/** Of one the last pass did not have: it is new, or nobody deals with it because its priority is 0. */
export function waitBeyondPlan({
  state,
  priority,
}: Pick<Container, 'state' | 'priority'>): WaitReason | undefined {
  if (state !== 'Queued' && state !== 'Locked') return undefined;
  return priority < 1n ? { code: 'priority-zero', state } : { code: 'unplanned' };
}
