import type { Config } from '../config/config.js';
import type { InstanceType } from '../domain/instance-type.js';
import { DriverError, type CreateSpec } from '../drivers/driver.js';
import { faultlessVm, type VmKnobs } from '../drivers/simulated/vm-behavior.js';
import { MemoryHost } from '../drivers/simulated/memory-host.js';
import { SimulatedCloud, type CloudOperation } from '../drivers/simulated/simulated-cloud.js';
import { simulatedQuotaGroup } from '../drivers/simulated/simulated-driver.js';
import type { JournalEntry } from '../journal/journal.js';
import { HeapClock } from './heap-clock.js';
import { Ledger } from './ground-truth.js';
import { MemoryJournal } from './memory-journal.js';
import { MemoryRows } from './memory-rows.js';
import { SeededRandom } from './seeded-random.js';
import { SimulatedLease } from './simulated-lease.js';
import { Throttle } from './throttle.js';
import { Trouble } from './active-faults.js';
import type { WorkItem } from './workload.js';
import type { WorldSettings } from './world-settings.js';

/** Of a process that was ended at its time limit, told from one that was ended on request. */
const timedOutCode = 137;

/** Midnight UTC of a day like any other. */
export const epochMs = Date.UTC(2026, 0, 1);

export interface WorldOptions {
  config: Config;
  settings: WorldSettings;
  seed: number;
  onEntry: ((entry: JournalEntry) => void) | undefined;
  everyVisit: boolean;
  /** Watches say something now and then, and their silence is noticed. */
  beats: boolean;
}

/** Everything that outlives a daemon process: time, provider, machines, network, store, and the record of the truth. */
export class World {
  readonly clock = new HeapClock(epochMs);
  readonly random: SeededRandom;
  readonly config: Config;
  readonly settings: WorldSettings;
  readonly ledger: Ledger;
  readonly rows: MemoryRows;
  readonly journal: MemoryJournal;
  readonly lease = new SimulatedLease();
  readonly host: MemoryHost;
  readonly cloud: SimulatedCloud;
  readonly trouble: Trouble;
  readonly throttle: Throttle;
  /** Visits that change nothing are made too. */
  readonly everyVisit: boolean;
  readonly beats: boolean;
  /** Somebody steps in then who waits for no timer, epoch ms. */
  pausesAt = Infinity;
  /** Probe rounds that were not made, as they would have changed nothing. */
  passedOver = 0;
  readonly calls = new Map<number, CallCount>();
  readonly #work = new Map<string, WorkItem>();
  readonly #vms = new Map<string, VmKnobs>();

  constructor({ config, settings, seed, onEntry, everyVisit, beats }: WorldOptions) {
    this.everyVisit = everyVisit;
    this.beats = beats;
    this.config = config;
    this.settings = settings;
    this.random = new SeededRandom(seed);
    this.ledger = new Ledger(() => this.elapsedMs);
    this.rows = new MemoryRows((row, before) => this.ledger.row(row, before));
    this.journal = new MemoryJournal(onEntry);
    this.throttle = new Throttle(settings.apiBurst, settings.apiPerSecond, this.clock.now());
    this.host = this.#makeHost();
    this.cloud = this.#makeCloud();
    this.trouble = new Trouble(this.clock, this.random.fork('trouble'), this.host);
  }

  /** Ms since the start. */
  get elapsedMs(): number {
    return this.clock.now() - epochMs;
  }

  /** What the container of that id does when it is run. */
  assign(uuid: string, item: WorkItem): void {
    this.#work.set(uuid, item);
  }

  /** What its owner asked for. */
  itemOf(uuid: string): WorkItem | undefined {
    return this.#work.get(uuid);
  }

  /** How long it runs there, ms. */
  durationOf(uuid: string): number {
    return this.#work.get(uuid)?.durationMs ?? 0;
  }

  /** May be changed while the machine runs. */
  vmOf(id: string): VmKnobs | undefined {
    return this.#vms.get(id);
  }

  /** Something of the world itself goes into the journal. */
  note(kind: string, entry: Omit<JournalEntry, 'at' | 'kind'>): void {
    this.journal.append({ at: this.clock.now(), kind, ...entry });
  }

  #makeHost(): MemoryHost {
    const chance = this.random.fork('machines');
    return new MemoryHost({
      clock: this.clock,
      random: () => chance.next(),
      hasKnownHostKeys: false,
      knobsOf: (id) => this.#knobsOf(id),
      execute: (uuid) => {
        const { durationMs = 1_000, exitCode = 0, request } = this.#work.get(uuid) ?? {};
        const limitMs = request?.scheduling.maxRunTimeMs || Infinity;
        if (durationMs <= limitMs) return { durationMs, exitCode, stdout: '', stderr: '' };
        return { durationMs: limitMs, exitCode: timedOutCode, timedOut: true, stdout: '', stderr: '' };
      },
      onStarted: (uuid, id) => this.ledger.began(id, uuid),
      onEnded: (uuid, { exitCode, isCrash }, id) => {
        const ending = isCrash ? 'crash' : exitCode === 143 ? 'kill' : 'exit';
        this.ledger.over(id, uuid, ending);
      },
      other: (command) => {
        const isBootProbe = command === (this.config.pool.bootProbeCommand || 'true');
        return { exitCode: isBootProbe ? 0 : 127, stdout: '', stderr: isBootProbe ? '' : 'not found\n' };
      },
    });
  }

  #makeCloud(): SimulatedCloud {
    const chance = this.random.fork('cloud');
    const { settings } = this;
    const cloud = new SimulatedCloud({
      host: this.host,
      clock: this.clock,
      random: () => chance.next(),
      knobs: {
        createDelayMs: settings.createDelayMs,
        addressDelayMs: settings.addressDelayMs,
        destroyDelayMs: settings.destroyDelayMs,
        listLagMs: settings.listLagMs,
        maxInstances: settings.quota,
        interruptionsPerHour: settings.interruptionsPerHour,
        interruptionNoticeMs: settings.interruptionNoticeMs,
      },
      admit: (spec) => this.#admit(spec),
      onCreated: (id, { instanceType }) => this.ledger.created(id, instanceType),
      onRetired: (id) => {
        this.#vms.delete(id);
        this.ledger.ended(id);
      },
      onFault: (id, error) => {
        throw new Error(`the simulated instance ${id} has a fault`, { cause: error });
      },
    });
    cloud.fault = (operation) => this.#takeToken(operation);
    return cloud;
  }

  #knobsOf(id: string): VmKnobs {
    const chance = this.random.fork(`machine ${id}`);
    const { bootMs, bootSpread, deadBootShare, crashShare } = this.settings;
    const isDead = chance.chance(Math.max(deadBootShare, this.trouble.amount('dead-boots')));
    const slowness = Math.max(1, this.trouble.amount('slow-boots'));
    const knobs: VmKnobs = {
      ...faultlessVm,
      bootMs: isDead ? Infinity : Math.round(slowness * chance.logNormal(bootMs, bootSpread)),
      crashRate: crashShare,
      lockLagMs: 20,
      killDelayMs: 200,
      beats: this.beats,
    };
    this.#vms.set(id, knobs);
    return knobs;
  }

  /** Whether the provider would make an instance of the type now, calls and answers aside. */
  hasRoomFor(type: InstanceType): boolean {
    const { quota } = this.settings;
    return (quota === 0 || this.cloud.instanceIds.length < quota) && this.#refusalOf(type) === undefined;
  }

  #admit({ instanceType }: CreateSpec): void {
    const refusal = this.#refusalOf(instanceType);
    if (refusal) throw refusal;
  }

  #refusalOf(type: InstanceType): DriverError | undefined {
    const { capacity, capacityScope, groupQuotas } = this.settings;
    const quota = Math.floor(this.trouble.amount('quota-drop'));
    if (quota > 0 && this.#present() >= quota) {
      return new DriverError('quota', `there may be ${quota} instances at most`);
    }
    const group = simulatedQuotaGroup(type);
    const mostOfGroup = groupQuotas[group] ?? Infinity;
    if (this.#present((each) => simulatedQuotaGroup(each) === group) >= mostOfGroup) {
      const what = `there may be ${mostOfGroup} instances of group ${group} at most`;
      return new DriverError('capacity', what, { scope: 'group' });
    }
    const { providerType } = type;
    const most = this.trouble.isOn('no-capacity', providerType) ? 0 : (capacity[providerType] ?? Infinity);
    if (this.#present((each) => each.providerType === providerType) < most) return undefined;
    return new DriverError('capacity', `there is no ${providerType} left`, { scope: capacityScope });
  }

  /** Instances that have not ended; of some types only when `among` is given. */
  #present(among?: (type: InstanceType) => boolean): number {
    let present = 0;
    for (const { type, endedAtMs } of this.ledger.instances.values()) {
      if (endedAtMs === undefined && (among?.(type) ?? true)) present++;
    }
    return present;
  }

  async #takeToken(operation: CloudOperation): Promise<void> {
    const now = this.clock.now();
    this.cloud.knobs.listLagMs = Math.max(this.settings.listLagMs, this.trouble.amount('list-lag'));
    const retryAt = this.throttle.take(now);
    const minute = Math.floor(this.elapsedMs / 60_000);
    const count = this.calls.get(minute) ?? { create: 0, list: 0, destroy: 0, setTags: 0, throttled: 0 };
    this.calls.set(minute, count);
    count[operation]++;
    if (retryAt === undefined) return;
    count.throttled++;
    throw new DriverError('rate-limited', `${operation} was called too often`, { retryAt });
  }
}

/** Calls to the provider in one minute, and how many of them it throttled. */
export type CallCount = Record<CloudOperation | 'throttled', number>;
