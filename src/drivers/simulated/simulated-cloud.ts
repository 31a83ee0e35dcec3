import type { Clock } from '../../domain/clock.js';
import type { Instance, Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { DriverError, type CreateSpec } from '../driver.js';
import { faultlessCloud, type CloudKnobs } from './vm-behavior.js';
import type { SimulatedHost } from './simulated-host.js';
import { SpotPrices } from './spot-prices.js';
import type { CapacityScope } from '../../domain/driver-error-code.js';

export interface SimulatedCloudOptions {
  host: SimulatedHost;
  clock: Clock;
  /** From 0 up to, not including, 1; all chance comes from here. */
  random: () => number;
  knobs?: Partial<CloudKnobs>;
  /** Looks at each order that passed all else, and may refuse it by throwing a {@link DriverError}. */
  admit?: (spec: CreateSpec) => void;
  /** An instance exists from now on, whoever is told of it. */
  onCreated?(id: string, spec: CreateSpec): void;
  /** It is being taken away: nothing runs on it any more and nobody pays for it. */
  onRetired?(id: string): void;
  /** An instance could not be started or stopped. */
  onFault(instanceId: string, error: unknown): void;
}

export type CloudOperation = 'create' | 'list' | 'destroy' | 'setTags';

interface CloudRecord {
  id: string;
  type: InstanceType;
  idempotencyToken: string;
  createdAt: number;
  /** Oldest first. */
  tags: { at: number; tags: Tags }[];
  address: string;
  hostKey: Uint8Array | undefined;
  retiring: Promise<void> | undefined;
  goneAt: number | undefined;
  timers: Set<unknown>;
}

/** A provider with faults on order (D-20..D-23). It outlives the drivers that talk to it, as a real one does. */
export class SimulatedCloud {
  readonly knobs: CloudKnobs;
  /** Provider types there are none of, and how far the error says that reaches. */
  readonly noCapacity = new Map<string, CapacityScope>();
  readonly prices: SpotPrices;
  /** Asked before each call of any kind: may throw a {@link DriverError}, or keep the call waiting. */
  fault: ((operation: CloudOperation) => Promise<void>) | undefined;
  readonly #options: SimulatedCloudOptions;
  readonly #records = new Map<string, CloudRecord>();
  #created = 0;
  #createdAt = -Infinity;
  #listedAt = -Infinity;
  #gate: Promise<void> = Promise.resolve();

  constructor(options: SimulatedCloudOptions) {
    this.#options = options;
    this.knobs = { ...faultlessCloud, ...options.knobs };
    this.prices = new SpotPrices(options.clock, options.random);
  }

  /** Create and destroy calls wait until the returned function is called. */
  holdOperations(): () => void {
    let release = (): void => {};
    this.#gate = new Promise((resolve) => (release = resolve));
    return release;
  }

  /** Instances that exist, whatever a list would show. */
  get instanceIds(): string[] {
    return [...this.#records.values()].filter(({ goneAt }) => goneAt === undefined).map(({ id }) => id);
  }

  async create(spec: CreateSpec): Promise<Instance> {
    await this.fault?.('create');
    const { random } = this.#options;
    const { minTimeBetweenCreatesMs, createErrorRate, lostReplyRate, createDelayMs } = this.knobs;
    const now = this.#options.clock.now();
    refuseTooSoon('create', this.#createdAt + minTimeBetweenCreatesMs, now);
    this.#createdAt = now;
    await this.#gate;
    const known = this.#living().find(
      ({ idempotencyToken }) => idempotencyToken !== '' && idempotencyToken === spec.idempotencyToken,
    );
    if (known) return this.#view(known);
    this.#refuse(spec);
    if (random() < createErrorRate) throw new DriverError('unavailable', 'a simulated failure of create');
    this.#options.admit?.(spec);
    const record = this.#add(spec);
    const isLost = random() < lostReplyRate;
    if (createDelayMs > 0) await this.#wait(createDelayMs);
    if (isLost) throw new DriverError('unavailable', 'the answer to create was lost');
    return this.#view(record);
  }

  async list(tags: Tags): Promise<Instance[]> {
    await this.fault?.('list');
    const now = this.#options.clock.now();
    refuseTooSoon('list', this.#listedAt + this.knobs.minTimeBetweenListsMs, now);
    this.#listedAt = now;
    const seenAt = now - this.knobs.listLagMs;
    for (const { id, goneAt } of [...this.#records.values()]) {
      if (goneAt !== undefined && goneAt <= seenAt) this.#records.delete(id);
    }
    const views = [...this.#records.values()]
      .filter(({ createdAt }) => createdAt <= seenAt)
      .map((record) => this.#view(record, seenAt));
    const wanted = Object.entries(tags);
    return views.filter((view) => wanted.every(([key, value]) => view.tags[key] === value));
  }

  async destroy(id: string): Promise<void> {
    await this.fault?.('destroy');
    await this.#gate;
    if (this.#options.random() < this.knobs.destroyErrorRate) {
      throw new DriverError('unavailable', 'a simulated failure of destroy');
    }
    const record = this.#records.get(id);
    if (record) record.retiring ??= this.#retire(record);
  }

  async setTags(id: string, tags: Tags): Promise<void> {
    await this.fault?.('setTags');
    this.#living(id).tags.push({ at: this.#options.clock.now(), tags: { ...tags } });
  }

  /** `undefined` when only the instance secret can tell. */
  isHostKey(id: string, key: Uint8Array): boolean | undefined {
    const { hostKey } = this.#living(id);
    return hostKey && Buffer.from(hostKey).equals(key);
  }

  /** Announces the end of an instance, and brings it when the time is over. */
  interrupt(id: string): void {
    const record = this.#living(id);
    const { interruptionNoticeMs } = this.knobs;
    const time = new Date(this.#options.clock.now() + interruptionNoticeMs).toISOString();
    this.#options.host.interrupt(id, JSON.stringify({ action: 'terminate', time }));
    this.#later(record, interruptionNoticeMs, () => void (record.retiring ??= this.#retire(record)));
  }

  /** The provider takes an instance away without a word. */
  vanish(id: string): void {
    const record = this.#living(id);
    record.retiring ??= this.#retire(record);
  }

  /** Ends all machines, timers and sockets: the end of the simulation. */
  async close(): Promise<void> {
    for (const record of this.#records.values()) this.#clearTimers(record);
    await this.#options.host.close();
  }

  #living(): CloudRecord[];
  #living(id: string): CloudRecord;
  #living(id?: string): CloudRecord | CloudRecord[] {
    if (id === undefined) return [...this.#records.values()].filter(({ goneAt }) => goneAt === undefined);
    const record = this.#records.get(id);
    if (record && record.goneAt === undefined) return record;
    throw new DriverError('not-found', `there is no instance ${id}`);
  }

  #refuse({ instanceType: { providerType } }: CreateSpec): void {
    const { maxInstances } = this.knobs;
    if (maxInstances > 0 && this.#living().length >= maxInstances) {
      throw new DriverError('quota', `there may be ${maxInstances} instances at most`);
    }
    const scope = this.noCapacity.get(providerType);
    if (scope) throw new DriverError('capacity', `there is no ${providerType} at present`, { scope });
  }

  #add(spec: CreateSpec): CloudRecord {
    const { clock, random } = this.#options;
    const now = clock.now();
    const record: CloudRecord = {
      id: `inst${++this.#created},${spec.instanceType.providerType}`,
      type: spec.instanceType,
      idempotencyToken: spec.idempotencyToken,
      createdAt: now,
      tags: [{ at: now, tags: { ...spec.tags } }],
      address: '',
      hostKey: undefined,
      retiring: undefined,
      goneAt: undefined,
      timers: new Set(),
    };
    this.#records.set(record.id, record);
    this.#options.onCreated?.(record.id, spec);
    const { addressDelayMs, interruptionsPerHour } = this.knobs;
    if (addressDelayMs > 0) this.#later(record, addressDelayMs, () => this.#start(record, spec));
    else this.#start(record, spec);
    if (spec.instanceType.preemptible && interruptionsPerHour > 0) {
      const inMs = (-Math.log(1 - random()) / interruptionsPerHour) * 3_600_000;
      this.#later(record, inMs, () => record.retiring ?? this.interrupt(record.id));
    }
    return record;
  }

  #start(record: CloudRecord, spec: CreateSpec): void {
    const { host, onFault } = this.#options;
    if (record.retiring) return;
    host.start(record.id, spec).then(
      ({ address, hostKey }) => {
        record.address = address;
        record.hostKey = hostKey;
      },
      (error: unknown) => onFault(record.id, error),
    );
  }

  async #retire(record: CloudRecord): Promise<void> {
    this.#clearTimers(record);
    this.#options.onRetired?.(record.id);
    await this.#options.host
      .stop(record.id)
      .catch((error: unknown) => this.#options.onFault(record.id, error));
    if (this.knobs.destroyDelayMs > 0) await this.#wait(this.knobs.destroyDelayMs);
    record.goneAt = this.#options.clock.now();
  }

  #view(record: CloudRecord, seenAt = Infinity): Instance {
    const { id, type, address } = record;
    const tags = record.tags.findLast(({ at }) => at <= seenAt)?.tags ?? {};
    return {
      id,
      displayName: id,
      providerType: type.providerType,
      address,
      remoteUser: 'root',
      tags: { ...tags },
      priceHistory: type.preemptible ? this.prices.of(type, this.knobs.priceIntervalMs) : [],
    };
  }

  #later(record: CloudRecord, delayMs: number, then: () => void): void {
    const timer = this.#options.clock.setTimeout(() => {
      record.timers.delete(timer);
      then();
    }, delayMs);
    record.timers.add(timer);
  }

  #clearTimers({ timers }: CloudRecord): void {
    for (const timer of timers) this.#options.clock.clearTimeout(timer);
    timers.clear();
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.setTimeout(resolve, delayMs));
  }
}

function refuseTooSoon(what: string, allowedAt: number, now: number): void {
  if (now >= allowedAt) return;
  throw new DriverError('rate-limited', `${what} was called too soon`, { retryAt: allowedAt });
}
