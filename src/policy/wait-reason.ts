import type { Container } from '../domain/container.js';

/** Why a container does not run yet; each waiting container has one (scheduler section 7). */
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
      /** Of the breakers of its types, the one with the next trial, and the time of that trial. */
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

/** Returns the cause as one sentence for an operator. */
export function describeWait(reason: WaitReason): string {
  const text = sentenceOf(reason);
  const position = positionOf(reason);
  return position === undefined ? text : `Position ${position} in the queue: ${text}`;
}

function sentenceOf(reason: WaitReason): string {
  switch (reason.code) {
    case 'unplanned':
      return 'It waits for the next scheduling pass.';
    case 'preparing':
      return 'It is starting on its instance.';
    case 'priority-zero':
      return `Its priority is 0 (state ${reason.state}).`;
    case 'supervisor-limit':
      return 'the limit of concurrent workflow runners is reached.';
    case 'previous-attempt':
      return 'The process or result of an earlier attempt remains.';
    case 'new-instance':
      return `An instance of type ${reason.instanceType} boots for it.`;
    case 'locking':
      return 'It was selected to run and is being locked.';
    case 'types-at-capacity':
      return `the provider has no capacity for the instance types that fit (${reason.instanceTypes}).`;
    case 'paced':
      return reason.retryAt === undefined
        ? 'the limit of concurrent create calls is reached.'
        : 'the provider limits the rate of create calls.';
    case 'protected':
      return `no instance is created, because ${reason.because}.`;
    case 'backing-off':
      return 'Its last attempt failed; the next one starts after a delay.';
    case 'avoiding':
      return 'It failed to start on the only instance that fits; that one is tried again after a delay.';
    case 'cloud-limit':
      return `no more instances can be created: ${reason.because ?? 'quota or pool.maxInstances'}.`;
    case 'cluster-limit':
      return 'the concurrent container limit is reached.';
  }
}

/** Returns what ends the wait, and what an operator can do about it. */
export function unblocks(reason: WaitReason): string {
  switch (reason.code) {
    case 'unplanned':
    case 'preparing':
    case 'locking':
      return 'No action is needed.';
    case 'priority-zero':
      return 'Raise its priority above 0.';
    case 'supervisor-limit':
      return 'A workflow runner ends, or you raise scheduler.supervisorFraction.';
    case 'previous-attempt':
      return 'The process of the earlier attempt ends, or its result arrives.';
    case 'new-instance':
      return 'The boot ends: see "longshore instances".';
    case 'types-at-capacity':
      return `The provider has capacity again${reason.until === undefined ? '' : ` (next trial at ${timeText(reason.until)}, breaker "${reason.breaker}")`}, or you add instance types that fit.`;
    case 'paced':
      return reason.retryAt === undefined
        ? 'A pending create call returns, or you raise pool.maxConcurrentCreates.'
        : `The next create call is allowed at ${timeText(reason.retryAt)}.`;
    case 'protected':
      return `An instance boots: the next trial is ${reason.until === undefined ? 'now' : `at ${timeText(reason.until)}`}; "longshore breakers reset 'boot: all'" allows it at once.`;
    case 'backing-off':
      return `The delay ends at ${timeText(reason.until)}.`;
    case 'avoiding':
      return `The delay ends at ${timeText(reason.until)}, or another instance fits ("longshore explain" on the container shows why the start failed).`;
    case 'cloud-limit':
      return `An instance terminates${reason.until === undefined ? '' : `, the trial at ${timeText(reason.until)} succeeds (breaker "quota")`}, or you raise the provider quota or pool.maxInstances.`;
    case 'cluster-limit':
      return 'A container ends; the limit grows while the server is not overloaded.';
  }
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}

/** Returns the position in the queue; `undefined` for a container that is starting or blocked. */
export function positionOf(reason: WaitReason): number | undefined {
  return 'position' in reason ? reason.position : undefined;
}

/** Returns the wait reason of a container outside the last pass: it is new, or its priority is 0. */
export function waitBeyondPlan({
  state,
  priority,
}: Pick<Container, 'state' | 'priority'>): WaitReason | undefined {
  if (state !== 'Queued' && state !== 'Locked') return undefined;
  return priority < 1n ? { code: 'priority-zero', state } : { code: 'unplanned' };
}
