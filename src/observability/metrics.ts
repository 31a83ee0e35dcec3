import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import type { Clock } from '../domain/clock.js';
import type { Role } from '../domain/leadership-role.js';
import { invariantNames, type Invariant } from './invariants/invariants.js';
import { hostKeyOutcomes, type HostKeyOutcome } from '../domain/host-key.js';
import { startFaults, type StartFault } from '../domain/start-fault.js';
import { strikeKinds, type StrikeKind } from '../domain/instance-limits.js';
import { bootOutcomes, workerStates, type BootOutcome, type WorkerState } from '../domain/instance.js';
import type { WorkerGaugeView } from '../domain/instance-view.js';

/** Sources read at each scrape, so that no gauge is older (K-4). */
export interface MetricSources {
  clock: Clock;
  /** Default: leader. */
  role?(): Role;
  workers(): readonly WorkerGaugeView[];
  /** True for an instance quarantined for its behaviour; default: none is. */
  isQuarantined?(instanceId: string): boolean;
  /** Pending journal entries, and those lost since the daemon started. Default: none. */
  journal?(): { waiting: number; dropped: number; leftOutBytes: number };
  /** Whether the store is damaged, and the number of statements that failed because of it. Default: undamaged. */
  store?(): { isDamaged: boolean; errors: number };
  /** Whether the dispatcher fails repeatedly at one operation. Default: no. */
  hasDispatchFault?(): boolean;
  atQuota(): boolean;
  typeNames(): readonly string[];
  /** Containers by state and cheapest fitting type, `''` for none. */
  queueEntries(): Iterable<{ state: string; instanceType: string }>;
  schedule(): {
    allocatedNotStarted: number;
    overQuota: number;
    longestWaitSeconds: number;
    last503Seconds: number;
    maxContainers: number;
  };
}

const prefix = 'arvados_dispatchcloud_';
const categories = ['inuse', 'hold', 'booting', 'unknown', 'idle'] as const;
type Category = (typeof categories)[number];
/** From a fast response to the longest deadline. */
const callBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const attemptOutcomes = ['complete', 'retried', 'lost', 'late'] as const;
const claimKinds = ['result', 'loss', 'process'] as const;
const refusalReasons = ['wrong-token', 'rate', 'crowded', 'slow', 'too-large'] as const;
/** Why the API refused a client. */
export type RefusalReason = (typeof refusalReasons)[number];
const driverOperations = ['Create', 'List', 'Destroy', 'SetTags'] as const;
const percentiles = [0.5, 0.9, 0.95, 0.99];

/**
 * All metrics of the pool and the scheduler, by the names that dashboards use (section 9; scheduler section 11). An
 * instance that shuts down without containers is in no category: it is not idle, because no container can start there.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #bootOutcomes: Counter;
  readonly #disappeared: Counter;
  readonly #driverOperations: Counter;
  readonly #driverErrors: Counter;
  readonly #driverSeconds: Histogram;
  readonly #timeToSsh: Summary;
  readonly #timeToReady: Summary;
  readonly #shutdownToGone: Summary;
  readonly #queueToStart: Summary;
  readonly #runProbe: Summary;
  readonly #failedStarts: Counter;
  readonly #violations: Counter;
  readonly #attemptsEnded: Counter;
  readonly #claimsRefused: Counter;
  readonly #strikes: Counter;
  readonly #hostKeyChanges: Counter;
  readonly #clientsRefused: Counter;
  readonly #failedPasses: Counter;

  constructor(sources: MetricSources) {
    this.#bootOutcomes = this.#counter('boot_outcomes', 'Boots by outcome.', ['outcome']);
    for (const outcome of bootOutcomes) this.#bootOutcomes.inc({ outcome }, 0);
    this.#disappeared = this.#counter(
      'instances_disappeared',
      'Instances that left the list, by last state.',
      ['state'],
    );
    for (const state of workerStates) this.#disappeared.inc({ state }, 0);
    this.#driverOperations = this.#counter('driver_operations', 'Provider calls.', ['operation', 'error']);
    for (const operation of driverOperations) {
      for (const error of ['0', '1']) this.#driverOperations.inc({ operation, error }, 0);
    }
    this.#driverErrors = this.#counter('driver_errors', 'Failed provider calls, by error class.', [
      'operation',
      'code',
    ]);
    this.#driverSeconds = new Histogram({
      name: `${prefix}driver_operation_duration_seconds`,
      help: 'Duration of provider calls, without the wait of the rate limit.',
      labelNames: ['operation'],
      buckets: callBuckets,
      registers: [this.registry],
    });
    for (const operation of driverOperations) this.#driverSeconds.zero({ operation });
    this.#timeToSsh = this.#summary(
      'instances_time_to_ssh_seconds',
      'Time from creation to the first verified SSH connection.',
    );
    this.#timeToReady = this.#summary(
      'instances_time_to_ready_for_container_seconds',
      'Time from SSH to being in service.',
    );
    this.#shutdownToGone = this.#summary(
      'instances_time_from_shutdown_request_to_disappearance_seconds',
      'Time from the first destroy call until the instance left the list.',
    );
    this.#queueToStart = this.#summary(
      'containers_time_from_queue_to_crunch_run_seconds',
      'Time from the submission of a container to the return of its start command.',
    );
    this.#runProbe = this.#summary('instances_run_probe_duration_seconds', 'Duration of run probes.', [
      'outcome',
    ]);
    this.#failedStarts = new Counter({
      name: 'longshore_failed_starts_total',
      help: 'Failed start commands, by responsible part.',
      labelNames: ['fault'],
      registers: [this.registry],
    });
    for (const fault of startFaults) this.#failedStarts.inc({ fault }, 0);
    this.#violations = new Counter({
      name: 'longshore_invariant_violations_total',
      help: 'Violations of invariants.',
      labelNames: ['invariant'],
      registers: [this.registry],
    });
    for (const invariant of invariantNames) this.#violations.inc({ invariant }, 0);
    this.#attemptsEnded = new Counter({
      name: 'longshore_attempts_ended_total',
      help: 'Ended attempts of containers: complete, retried, lost, or late after a cancellation.',
      labelNames: ['outcome'],
      registers: [this.registry],
    });
    for (const outcome of attemptOutcomes) this.#attemptsEnded.inc({ outcome }, 0);
    this.#claimsRefused = new Counter({
      name: 'longshore_claims_refused_total',
      help: 'Refused reports of instances about containers that are placed elsewhere or in another attempt.',
      labelNames: ['what'],
      registers: [this.registry],
    });
    for (const what of claimKinds) this.#claimsRefused.inc({ what }, 0);
    this.#strikes = new Counter({
      name: 'longshore_instance_strikes_total',
      help: 'Violations by instances: exceeded limits, false claims, results not handed over.',
      labelNames: ['kind'],
      registers: [this.registry],
    });
    for (const kind of strikeKinds) this.#strikes.inc({ kind }, 0);
    this.#hostKeyChanges = new Counter({
      name: 'longshore_host_key_changes_total',
      help: 'Changed host keys of instances: refused, or accepted during the boot, by the provider or by an operator.',
      labelNames: ['outcome'],
      registers: [this.registry],
    });
    for (const outcome of hostKeyOutcomes) this.#hostKeyChanges.inc({ outcome }, 0);
    this.#clientsRefused = new Counter({
      name: 'longshore_api_refused_total',
      help: 'Requests and connections that the API refused: wrong token, too many from one address, too slow, too large.',
      labelNames: ['reason'],
      registers: [this.registry],
    });
    for (const reason of refusalReasons) this.#clientsRefused.inc({ reason }, 0);
    this.#failedPasses = new Counter({
      name: 'longshore_failed_passes_total',
      help: 'Scheduling passes that a bug aborted.',
      registers: [this.registry],
    });
    this.#addPoolGauges(sources);
    this.#addScheduleGauges(sources);
    this.#addRoleGauges(sources);
    this.#addJournalMetrics(sources);
    this.#addFaultMetrics(sources);
    collectDefaultMetrics({ register: this.registry, prefix: 'longshore_' });
  }

  bootDecided(outcome: BootOutcome): void {
    this.#bootOutcomes.inc({ outcome });
  }

  passFailed(_error: unknown): void {
    this.#failedPasses.inc();
  }

  disappeared(state: WorkerState): void {
    this.#disappeared.inc({ state });
  }

  /** `code`: error class of a failed call. */
  driverOperation(operation: string, durationMs: number, code: string | undefined): void {
    this.#driverOperations.inc({ operation, error: code === undefined ? '0' : '1' });
    if (code !== undefined) this.#driverErrors.inc({ operation, code });
    this.#driverSeconds.observe({ operation }, durationMs / 1_000);
  }

  timeToSsh(ms: number): void {
    this.#timeToSsh.observe(ms / 1_000);
  }

  timeToReady(ms: number): void {
    this.#timeToReady.observe(ms / 1_000);
  }

  shutdownToGone(ms: number): void {
    this.#shutdownToGone.observe(ms / 1_000);
  }

  queueToStart(ms: number): void {
    this.#queueToStart.observe(ms / 1_000);
  }

  runProbe(ms: number, ok: boolean): void {
    this.#runProbe.observe({ outcome: ok ? 'success' : 'fail' }, ms / 1_000);
  }

  startFailed(fault: StartFault): void {
    this.#failedStarts.inc({ fault });
  }

  invariantViolated(invariant: Invariant): void {
    this.#violations.inc({ invariant });
  }

  attemptEnded(outcome: (typeof attemptOutcomes)[number]): void {
    this.#attemptsEnded.inc({ outcome });
  }

  struck(kind: StrikeKind): void {
    this.#strikes.inc({ kind });
  }

  hostKeyChanged(outcome: HostKeyOutcome): void {
    this.#hostKeyChanges.inc({ outcome });
  }

  clientRefused(reason: RefusalReason): void {
    this.#clientsRefused.inc({ reason });
  }

  claimRefused(what: (typeof claimKinds)[number]): void {
    this.#claimsRefused.inc({ what });
  }

  #addPoolGauges({ clock, workers, isQuarantined = () => false, atQuota, typeNames }: MetricSources): void {
    this.#gauge('containers_running', 'Containers with a process on an instance.', (gauge) =>
      gauge.set(workers().reduce((sum, worker) => sum + worker.runners, 0)),
    );
    const ages = (): number[] => {
      const probed = workers().filter(({ workerState }) => workerState !== 'shutdown');
      return probed.map(({ probedAt }) => probedAt).sort((a, b) => a - b);
    };
    const age = (at: number | undefined): number => (at === undefined ? 0 : (clock.now() - at) / 1_000);
    this.#gauge('probe_age_seconds_max', 'Age of the oldest successful probe.', (gauge) =>
      gauge.set(age(ages()[0])),
    );
    this.#gauge('probe_age_seconds_median', 'Median age of the last successful probes.', (gauge) => {
      const all = ages();
      gauge.set(age(all[Math.floor(all.length / 2)]));
    });
    this.#gauge(
      'instances_total',
      'Instances.',
      (gauge) => {
        gauge.reset();
        for (const category of categories) {
          for (const instance_type of typeNames()) gauge.set({ category, instance_type }, 0);
        }
        for (const worker of workers()) {
          const category = categoryOf(worker);
          if (category) gauge.inc({ category, instance_type: worker.instanceType.name });
        }
      },
      ['category', 'instance_type'],
    );
    this.#sum('instances_price', 'Dollars per hour.', workers, (worker) => worker.instanceType.price);
    this.#sum('vcpus_total', 'VCPUs.', workers, (worker) => worker.instanceType.vcpus);
    this.#sum('memory_bytes_total', 'RAM.', workers, (worker) => worker.instanceType.ramBytes);
    new Gauge({
      name: 'longshore_instances_quarantined',
      help: 'Quarantined instances.',
      registers: [this.registry],
      collect() {
        this.set(workers().filter((each) => each.isQuarantined || isQuarantined(each.instanceId)).length);
      },
    });
    this.#gauge('at_quota', '1 while the instance quota is reached.', (gauge) =>
      gauge.set(atQuota() ? 1 : 0),
    );
  }

  #addRoleGauges({ role }: MetricSources): void {
    this.#gauge('leading', '1 while this daemon is the leader, 0 while it is a standby.', (gauge) =>
      gauge.set(role === undefined || role().state === 'leading' ? 1 : 0),
    );
    this.#gauge('lease_epoch', 'Epoch of the leader; 0 for a store of one daemon.', (gauge) =>
      gauge.set(role?.().epoch ?? 0),
    );
  }

  #addJournalMetrics({ journal = () => ({ waiting: 0, dropped: 0, leftOutBytes: 0 }) }: MetricSources): void {
    const registers = [this.registry];
    new Gauge({
      name: 'longshore_journal_entries_waiting',
      help: 'Journal entries that are not in the store yet.',
      registers,
      collect() {
        this.set(journal().waiting);
      },
    });
    new Counter({
      name: 'longshore_journal_entries_dropped_total',
      help: 'Lost journal entries: the store did not accept them for too long, or they were invalid.',
      registers,
      collect() {
        this.reset();
        this.inc(journal().dropped);
      },
    });
    new Counter({
      name: 'longshore_journal_left_out_bytes_total',
      help: 'Bytes of journal entries beyond the limit per instance and minute.',
      registers,
      collect() {
        this.reset();
        this.inc(journal().leftOutBytes);
      },
    });
  }

  #addFaultMetrics({
    store = () => ({ isDamaged: false, errors: 0 }),
    hasDispatchFault = () => false,
  }: MetricSources): void {
    const registers = [this.registry];
    new Gauge({
      name: 'longshore_store_damaged',
      help: '1 while the store is known to be damaged: submissions are refused.',
      registers,
      collect() {
        this.set(store().isDamaged ? 1 : 0);
      },
    });
    new Counter({
      name: 'longshore_store_damage_errors_total',
      help: 'Statements that failed because of a damaged store.',
      registers,
      collect() {
        this.reset();
        this.inc(store().errors);
      },
    });
    new Gauge({
      name: 'longshore_dispatch_failing',
      help: '1 while the dispatcher fails repeatedly at one operation; the health names it.',
      registers,
      collect() {
        this.set(hasDispatchFault() ? 1 : 0);
      },
    });
  }

  #addScheduleGauges({ schedule, queueEntries }: MetricSources): void {
    this.#gauge('containers_allocated_not_started', 'Containers that wait for their instance.', (gauge) =>
      gauge.set(schedule().allocatedNotStarted),
    );
    this.#gauge('containers_not_allocated_over_quota', 'Containers that wait for quota.', (gauge) =>
      gauge.set(schedule().overQuota),
    );
    this.#gauge('containers_longest_wait_time_seconds', 'The longest wait of a container.', (gauge) =>
      gauge.set(schedule().longestWaitSeconds),
    );
    this.#gauge(
      'last_503_time',
      'Time of the last overload response of the server, epoch seconds.',
      (gauge) => gauge.set(schedule().last503Seconds),
    );
    this.#gauge('max_concurrent_containers', 'Limit of concurrent containers; 0: none.', (gauge) =>
      gauge.set(schedule().maxContainers),
    );
    const seen = new Map<string, { state: string; instance_type: string }>();
    this.#gauge(
      'queue_entries',
      'Containers in the queue.',
      (gauge) => {
        gauge.reset();
        for (const labels of seen.values()) gauge.set(labels, 0);
        for (const { state, instanceType } of queueEntries()) {
          const labels = { state, instance_type: instanceType };
          seen.set(`${state} ${instanceType}`, labels);
          gauge.inc(labels);
        }
      },
      ['state', 'instance_type'],
    );
  }

  #sum(
    name: string,
    help: string,
    workers: MetricSources['workers'],
    of: (worker: WorkerGaugeView) => number,
  ): void {
    this.#gauge(
      name,
      help,
      (gauge) => {
        for (const category of categories) gauge.set({ category }, 0);
        for (const worker of workers()) {
          const category = categoryOf(worker);
          if (category) gauge.inc({ category }, of(worker));
        }
      },
      ['category'],
    );
  }

  #gauge(name: string, help: string, collect: (gauge: Gauge) => void, labelNames: string[] = []): void {
    const gauge: Gauge = new Gauge({
      name: prefix + name,
      help,
      labelNames,
      registers: [this.registry],
      collect: () => collect(gauge),
    });
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: prefix + name, help, labelNames, registers: [this.registry] });
  }

  #summary(name: string, help: string, labelNames: string[] = []): Summary {
    return new Summary({ name: prefix + name, help, labelNames, percentiles, registers: [this.registry] });
  }
}

function categoryOf({ runners, idleBehavior, workerState }: WorkerGaugeView): Category | undefined {
  if (runners > 0) return 'inuse';
  if (idleBehavior === 'hold') return 'hold';
  if (workerState === 'booting' || workerState === 'unknown') return workerState;
  return workerState === 'shutdown' ? undefined : 'idle';
}
