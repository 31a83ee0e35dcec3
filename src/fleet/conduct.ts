import type { Clock } from '../domain/clock.js';
import { noConductStore, type ConductStore, type ConductView } from '../domain/conduct-view.js';
import { cleanNotice } from '../domain/clean-notice.js';
import type { Quarantine } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import { instanceLimits, mostForeignIds, type StrikeKind } from '../domain/instance-limits.js';
import type { RefusedClaim } from '../queue/queue.js';

/** One thing that an instance did and must not do. */
export interface Strike {
  instanceId: string;
  kind: StrikeKind;
  /** One clause, for people. */
  because: string;
}

export interface ConductOptions {
  clock: Pick<Clock, 'now'>;
  /** The queue places the container on this instance, or does not know on which. */
  isGiven(uuid: string, instanceId: string): boolean;
  /** The queue was read. Before that, nobody knows what was given to whom; default: it was. */
  knowsQueue?(): boolean;
  /** What earlier daemons kept, by instance id. */
  recorded?: ReadonlyMap<string, ConductView>;
  /** Default: what instances did is forgotten with this process. */
  store?: Pick<ConductStore, 'keep' | 'gone'>;
  /** These must not throw. */
  onStrike(strike: Strike): void;
  onQuarantine(instanceId: string, quarantine: Quarantine): void;
}

interface ConductRecord {
  strikes: Partial<Record<StrikeKind, number>>;
  claimsRefused: number;
  /** When the latest strikes were; epoch ms. */
  recent: number[];
  quarantine: Quarantine | undefined;
  /** In their order of use. */
  given: Set<string>;
  foreign: Set<string>;
  foreignSince: number;
  answeredAt: number;
}

/**
 * What each instance did: counts its strikes, and quarantines it when it breached a limit or when its strikes add up. So
 * an instance hurts only itself.
 */
export class Conduct {
  readonly #options: ConductOptions;
  readonly #store: Pick<ConductStore, 'keep' | 'gone'>;
  readonly #records = new Map<string, ConductRecord>();

  constructor(options: ConductOptions) {
    this.#options = options;
    this.#store = options.store ?? noConductStore;
    for (const [id, { strikes, claimsRefused, quarantine }] of options.recorded ?? []) {
      Object.assign(this.#of(id), { strikes: { ...strikes }, claimsRefused, quarantine });
    }
  }

  view(instanceId: string): ConductView | undefined {
    const record = this.#records.get(instanceId);
    if (!record) return undefined;
    const { strikes, claimsRefused, quarantine } = record;
    return { strikes: { ...strikes }, claimsRefused, quarantine };
  }

  /** True when some instance is in quarantine. */
  get hasQuarantine(): boolean {
    for (const { quarantine } of this.#records.values()) if (quarantine) return true;
    return false;
  }

  /** True for an instance in quarantine, or with a strike within the window. */
  isSuspect(instanceId: string): boolean {
    const { quarantine, recent = [] } = this.#records.get(instanceId) ?? {};
    const latest = recent.at(-1) ?? -Infinity;
    return quarantine !== undefined || this.#options.clock.now() - latest < instanceLimits.strikeWindowMs;
  }

  quarantineOf(instanceId: string): Quarantine | undefined {
    return this.#records.get(instanceId)?.quarantine;
  }

  /** Adds up; enough of them within the window are a breach. */
  strike(strike: Strike): void {
    const record = this.#of(strike.instanceId);
    const now = this.#options.clock.now();
    this.#count(record, strike);
    const since = now - instanceLimits.strikeWindowMs;
    record.recent = [...record.recent.filter((at) => at > since && at <= now), now].slice(
      -instanceLimits.strikes,
    );
    if (record.recent.length >= instanceLimits.strikes) {
      const minutes = instanceLimits.strikeWindowMs / 60_000;
      const { because } = strike;
      this.#quarantine(
        record,
        strike.instanceId,
        `${record.recent.length} strikes within ${minutes} minutes; the last: ${because}`,
      );
    } else this.#keep(strike.instanceId);
  }

  /** Quarantines the instance at once. */
  breach(strike: Strike): void {
    const record = this.#of(strike.instanceId);
    this.#count(record, strike);
    this.#quarantine(record, strike.instanceId, strike.because);
  }

  /** The container is being started there. */
  gives(instanceId: string, uuid: string): void {
    this.#remember(this.#of(instanceId), uuid);
  }

  /** A claim about a container was refused. One of a container that the instance had is late, not false. */
  claimed({ instanceId, uuid, because }: Pick<RefusedClaim, 'instanceId' | 'uuid' | 'because'>): void {
    const record = this.#of(instanceId);
    record.claimsRefused++;
    if (record.given.has(uuid)) return;
    this.strike({ instanceId, kind: 'claim', because: `it claimed ${uuid}: ${because}` });
  }

  /**
   * Of the containers that an instance names, those that are not to be taken up: they were never given to it, and there
   * are too many of them, or the instance is in quarantine. Too many are a breach.
   */
  refusedIds(instanceId: string, type: InstanceType, uuids: Iterable<string>): ReadonlySet<string> {
    const record = this.#of(instanceId);
    const now = this.#options.clock.now();
    if (now - record.foreignSince > instanceLimits.foreignWindowMs || now < record.foreignSince) {
      record.foreign.clear();
      record.foreignSince = now;
    }
    const most = mostForeignIds(type);
    if (!this.#knowsQueue) return this.#refusedUnread(record, instanceId, { uuids, most });
    const foreign: string[] = [];
    let tooMany = 0;
    for (const uuid of uuids) {
      if (this.#isGiven(record, instanceId, uuid)) continue;
      foreign.push(uuid);
      if (record.foreign.has(uuid)) continue;
      if (record.foreign.size < most) record.foreign.add(uuid);
      else tooMany++;
    }
    if (tooMany > 0 && !record.quarantine) {
      const because = `it named ${most + tooMany} containers that it was never given, and ${most} is the most`;
      this.breach({ instanceId, kind: 'list', because });
    }
    return record.quarantine ? new Set(foreign) : new Set();
  }

  /**
   * Takes up all while nothing is known of them, but never more than any instance was given. One in quarantine may still
   * have its own containers.
   */
  #refusedUnread(
    record: ConductRecord,
    instanceId: string,
    { uuids, most }: { uuids: Iterable<string>; most: number },
  ): ReadonlySet<string> {
    const named = [...uuids];
    if (record.quarantine) return new Set(named.length > most ? named : []);
    if (named.length <= instanceLimits.givenIds) return new Set();
    const because = `it named ${named.length} containers, and ${instanceLimits.givenIds} is the most`;
    this.breach({ instanceId, kind: 'list', because });
    return new Set(named);
  }

  /** Nothing more is taken from the instance about the container: it is in quarantine, and was never given it. */
  isRefused(instanceId: string, uuid: string): boolean {
    const record = this.#records.get(instanceId);
    if (record?.quarantine === undefined || !this.#knowsQueue) return false;
    return !this.#isGiven(record, instanceId, uuid);
  }

  /** It answered a probe. */
  answered(instanceId: string): void {
    this.#of(instanceId).answeredAt = this.#options.clock.now();
  }

  /** True when it answered a probe since then: the line is not at fault. */
  hasAnsweredSince(instanceId: string, at: number): boolean {
    return (this.#records.get(instanceId)?.answeredAt ?? -Infinity) > at;
  }

  /** False when it was in no quarantine. Its strikes begin anew. */
  clear(instanceId: string): boolean {
    const record = this.#records.get(instanceId);
    if (!record?.quarantine) return false;
    Object.assign(record, {
      strikes: {},
      claimsRefused: 0,
      recent: [],
      quarantine: undefined,
      foreignSince: -Infinity,
    });
    this.#keep(instanceId);
    return true;
  }

  /** The instance is in the list of the provider: what it did is still of use. */
  listed(instanceId: string): void {
    if (this.#hasRecord(instanceId)) this.#keep(instanceId);
  }

  /** The instance left the list of the provider. */
  gone(instanceId: string): void {
    if (this.#hasRecord(instanceId)) this.#store.gone(instanceId);
    this.#records.delete(instanceId);
  }

  get #knowsQueue(): boolean {
    const { knowsQueue = () => true } = this.#options;
    return knowsQueue();
  }

  /** There is something to keep. */
  #hasRecord(instanceId: string): boolean {
    const { quarantine, strikes = {} } = this.#records.get(instanceId) ?? {};
    return quarantine !== undefined || Object.keys(strikes).length > 0;
  }

  #keep(instanceId: string): void {
    if (this.#hasRecord(instanceId)) this.#store.keep({ instanceId, ...this.view(instanceId)! });
    else this.#store.gone(instanceId);
  }

  #count({ strikes }: ConductRecord, { instanceId, kind, because }: Strike): void {
    strikes[kind] = (strikes[kind] ?? 0) + 1;
    this.#options.onStrike({ instanceId, kind, because: cleanNotice(because, instanceLimits.textLength) });
  }

  #quarantine(record: ConductRecord, instanceId: string, because: string): void {
    const { clock, onQuarantine } = this.#options;
    const isNew = record.quarantine === undefined;
    record.quarantine ??= { at: clock.now(), because: cleanNotice(because, instanceLimits.textLength) };
    this.#keep(instanceId);
    if (isNew) onQuarantine(instanceId, record.quarantine);
  }

  #isGiven(record: ConductRecord, instanceId: string, uuid: string): boolean {
    if (record.given.has(uuid)) return true;
    if (!this.#options.isGiven(uuid, instanceId)) return false;
    this.#remember(record, uuid);
    return true;
  }

  #remember({ given }: ConductRecord, uuid: string): void {
    given.delete(uuid);
    given.add(uuid);
    if (given.size > instanceLimits.givenIds) given.delete(given.values().next().value!);
  }

  #of(instanceId: string): ConductRecord {
    const known = this.#records.get(instanceId);
    if (known) return known;
    const record: ConductRecord = {
      strikes: {},
      claimsRefused: 0,
      recent: [],
      quarantine: undefined,
      given: new Set(),
      foreign: new Set(),
      foreignSince: -Infinity,
      answeredAt: -Infinity,
    };
    this.#records.set(instanceId, record);
    return record;
  }
}
