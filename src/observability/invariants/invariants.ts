/** Properties that must always hold, each with its promise as a sentence. */
export const invariants = {
  'one-place': 'A container has a process on at most one instance.',
  'no-second-run': 'A container that ended for good does not start again.',
  'service-state': 'An instance is running exactly while it has containers.',
  'shutdown-is-final': 'An instance that shuts down never returns to service.',
  'hold-is-kept': 'An instance on hold is destroyed only by the kill command.',
  'no-new-work': 'No container starts on an instance that is on hold, draining or not in service.',
  'one-boot-outcome': 'A boot has exactly one outcome.',
  'destroy-is-decided': 'Every destroy call follows a decision to shut the instance down.',
  'destroy-is-paced': 'A confirmed destroy call is not repeated before pool.timeoutShutdown.',
  'every-instance-known': 'Every listed instance has a worker by the time of the next list.',
  'quota-is-kept': 'No create call exceeds maxInstances or is made while the quota breaker is open.',
  'creates-are-bounded': 'At most maxConcurrentCreates create calls are in flight.',
  'calls-are-paced': 'Provider calls respect maxCloudOpsPerSecond.',
  'waits-end': 'Every waiting state ends in bounded time.',
  stalled: 'A queue that does not move has a wait reason, and that reason ends in bounded time.',
  'cause-is-given': 'Every state change of an instance has a cause.',
} as const;

export type Invariant = keyof typeof invariants;

export const invariantNames = Object.keys(invariants) as Invariant[];

/** A property that did not hold. */
export interface Violation {
  invariant: Invariant;
  /** Epoch ms, by the clock of the daemon. */
  at: number;
  instance?: string;
  container?: string;
  /** What happened, in one sentence with its figures. */
  what: string;
}
