/** Responses of the API; see `/docs` of the daemon. */
export interface InstanceBody {
  instance: string;
  launch: string;
  address: string;
  type: string;
  providerType: string;
  state: string;
  bootStage: string | null;
  isBeingSetUp: boolean;
  idleBehavior: string;
  quarantine: { since: string; because: string } | null;
  conduct: { strikes: Record<string, number>; claimsRefused: number; bytesLeftOut: number } | null;
  price: number;
  containers: string[];
  lastContainer: string;
  appearedAt: string | null;
  lastBusyAt: string | null;
}

export interface ContainerBody {
  uuid: string;
  name: string;
  state: string;
  priority: string;
  command: string[];
  env: Record<string, string>;
  image: string;
  cwd: string;
  resources: { vcpus: number; ramBytes: number; scratchBytes: number; gpus: number };
  preemptible: boolean;
  attempts: number;
  maxAttempts: number;
  maxRunTimeMs: number;
  instance: string;
  instanceType: string;
  createdAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  exitCode: number | null;
  error: string;
  cost: number | null;
  wait: { code: string; text: string; position: number | null } | null;
}

export interface JournalEntry {
  at: number;
  kind: string;
  instance?: string;
  container?: string;
  from?: string;
  to?: string;
  event?: string;
  because?: string;
}

export interface Summary {
  at: string;
  version: string;
  instances: Record<string, number>;
  types: { type: string; price: number; total: number; states: Record<string, number> }[];
  costPerHour: number;
  containers: Record<string, number>;
  failed: number | null;
  waits: { code: string; count: number; example: string }[];
  atQuota: boolean;
  breakers: { key: string; state: string; reason: string; until: string | null }[];
  health: string;
}

export interface Timer {
  name: string;
  state: string;
  delayMs: number;
  startedAt: number;
  firesAt: number;
}

export interface ChartState {
  active?: string[];
  timers?: Timer[];
  runners?: { uuid: string; active: string[]; timers: Timer[] }[];
}

export interface ChartEvent extends ChartState {
  gone: boolean;
  now: number;
  steps: { at: number; event: string; changes: { region: string; from: string; to: string }[] }[];
}

export interface Costs {
  hours: { startAt: number; cost: number; byType: Record<string, number>; instances: number }[];
  total: number;
}

export interface Explanation {
  kind: string;
  id: string;
  lines: string[];
  history: { at: number; text: string }[];
}

export interface ReplayedStep {
  at: number;
  event: { type: string };
  before: string[];
  after: string[];
  moves: { region: string; from: string; to: string }[];
  guards: Record<string, boolean>;
  actions: string[];
  skipped: number;
  matches: boolean;
  differences: { what: string; recorded: unknown; replayed: unknown }[];
}

export interface Replay {
  instance: string;
  steps: ReplayedStep[];
}
