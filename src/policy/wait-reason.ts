/** Why a container does not run yet; one for each that waits (scheduler section 7). */
export type WaitReason =
  | { code: 'preparing' }
  | { code: 'priority-zero'; state: string }
  | { code: 'supervisor-limit'; position: number }
  | { code: 'previous-attempt' }
  | { code: 'new-instance'; instanceType: string }
  | { code: 'locking' }
  | { code: 'types-at-capacity'; position: number; instanceTypes: string }
  | { code: 'paced'; retryAt: number | undefined }
  | { code: 'cloud-limit'; position: number }
  | { code: 'cluster-limit'; position: number };

/** One sentence for a tired operator, and what would change it. */
export function describeWait(reason: WaitReason): string {
  switch (reason.code) {
    case 'preparing':
      return 'It has an instance, where it is being started.';
    case 'priority-zero':
      return `It is held back because its priority is 0 (state ${reason.state}); give it a priority above 0.`;
    case 'supervisor-limit':
      return `It is number ${reason.position} in line of the workflow runners: as many as may run at once do; it starts when one ends.`;
    case 'previous-attempt':
      return 'An earlier attempt at it has not ended yet.';
    case 'new-instance':
      return `An instance of type ${reason.instanceType} is being made ready for it.`;
    case 'locking':
      return 'It was chosen to run and is being locked.';
    case 'types-at-capacity':
      return `It is number ${reason.position} in line: the provider has none of the instance types that fit (${reason.instanceTypes}) at present.`;
    case 'paced':
      return reason.retryAt === undefined
        ? 'An instance will be asked for when the requests under way are answered.'
        : `The provider slows down requests for instances; the next is made at ${new Date(reason.retryAt).toISOString()}.`;
    case 'cloud-limit':
      return `It is number ${reason.position} in line: no more instances may be made at present (quota or maxInstances); one that ends makes room.`;
    case 'cluster-limit':
      return `It is number ${reason.position} in line: as many containers as may run at present do.`;
  }
}

export function positionOf(reason: WaitReason): number | undefined {
  return 'position' in reason ? reason.position : undefined;
}
