/** The parts of API responses that the commands use. */
export interface ContainerBody {
  uuid: string;
  name: string;
  state: string;
  priority: string;
  instance: string;
  instanceType: string;
  exitCode: number | null;
  error: string;
  cost: number | null;
  wait: { code: string; text: string; position: number | null; unblocks: string } | null;
}

export interface InstanceBody {
  instance: string;
  /** Id of a pending create call. */
  launch: string;
  address: string;
  type: string;
  providerType: string;
  state: string;
  bootStage: string | null;
  isOrphan: boolean;
  /** In service, and set up again after a reboot or the loss of its runner program. Missing from older daemons. */
  isBeingSetUp?: boolean;
  idleBehavior: string;
  /** Missing from older daemons. */
  quarantine?: { since: string; because: string } | null;
  /** Not known to older daemons. */
  conduct?: { strikes: Record<string, number>; claimsRefused: number; bytesLeftOut: number } | null;
  price: number;
  containers: string[];
  appearedAt: string | null;
}

/** Counts of the fleet. */
export interface FleetBody {
  at: string;
  version: string;
  instances: Record<string, number>;
  costPerHour: number;
  containers: Record<string, number>;
  /** Complete containers with a nonzero exit code; missing from older daemons. */
  failed?: number | null;
  waits: { code: string; count: number; example: string }[];
  atQuota: boolean;
  breakers: { key: string; state: string; reason: string; until: string | null }[];
  health: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export const isFinished = ({ state }: ContainerBody): boolean =>
  state === 'Complete' || state === 'Cancelled';

/** Returns the displayed state: a complete container with a nonzero exit code is shown as failed. */
export function outcomeOf({ state, exitCode }: Pick<ContainerBody, 'state' | 'exitCode'>): string {
  if (state !== 'Complete' || exitCode === 0) return state;
  return `Failed (${exitCode === null ? 'no exit code' : `exit ${exitCode}`})`;
}
