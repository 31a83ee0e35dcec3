/** The parts of API replies the commands use. */
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
  /** Of a creation that has not returned. */
  launch: string;
  address: string;
  type: string;
  providerType: string;
  state: string;
  bootStage: string | null;
  isOrphan: boolean;
  /** In service, and set up anew after a reboot or the loss of its runner program. Not known to older daemons. */
  isBeingSetUp?: boolean;
  idleBehavior: string;
  /** Not known to older daemons. */
  quarantine?: { since: string; because: string } | null;
  price: number;
  containers: string[];
  appearedAt: string | null;
}

/** The fleet in figures. */
export interface FleetBody {
  at: string;
  version: string;
  instances: Record<string, number>;
  costPerHour: number;
  containers: Record<string, number>;
  /** How many of the complete containers ended with another exit code than 0; not known to older daemons. */
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

/** The state as people read it: a container that ended with another exit code than 0 failed, whatever its wire state. */
export function outcomeOf({ state, exitCode }: Pick<ContainerBody, 'state' | 'exitCode'>): string {
  if (state !== 'Complete' || exitCode === 0) return state;
  return `Failed (${exitCode === null ? 'no exit code' : `exit ${exitCode}`})`;
}
