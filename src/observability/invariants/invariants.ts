/** What must hold of a fleet at any time, whatever happens; each with the sentence that says what broke it. */
export const invariants = {
  'one-place': 'A container has a process on one instance at most.',
  'no-second-run': 'A container that ended for good is not started again.',
  'service-state': 'An instance is running exactly while there are containers on it.',
  'shutdown-is-final': 'An instance that is to be destroyed never serves again.',
  'hold-is-kept': 'An instance on hold is destroyed by the order to kill it and by nothing else.',
  'no-new-work': 'An instance on hold, draining or not in service is given no container.',
  'one-boot-outcome': 'A boot ends in one way.',
  'destroy-is-decided': 'No instance is destroyed that was not to be.',
  'destroy-is-paced': 'A confirmed destroy is not repeated before its time.',
  'every-instance-known': 'Every instance in the list is known by the time of the next list.',
  'quota-is-kept':
    'No instance is asked for beyond maxInstances, or while the provider’s quota is known to be used up.',
  'creates-are-bounded': 'No more create calls are under way than maxConcurrentCreates.',
  'calls-are-paced': 'Calls to the provider keep to maxCloudOpsPerSecond.',
  'waits-end': 'Every state that waits is left in bounded time.',
  stalled: 'A queue that does not move says what it waits for, and that ends in bounded time.',
  'cause-is-given': 'No instance changes its state without a cause.',
} as const;

export type Invariant = keyof typeof invariants;

export const invariantNames = Object.keys(invariants) as Invariant[];

/** One thing that must never happen, and did. */
export interface Violation {
  invariant: Invariant;
  /** Epoch ms, by the clock of the daemon. */
  at: number;
  instance?: string;
  container?: string;
  /** What happened, in one sentence with its figures. */
  what: string;
}
