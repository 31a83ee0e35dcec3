import type { Clock } from '../domain/clock.js';
import type { ConductView } from '../domain/conduct-view.js';
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
  /** What is remembered from before. */
  recorded?: ReadonlyMap<string, ConductView>;
  /** These must not throw. */
  onStrike(strike: Strike): void;
  onQuarantine(instanceId: string, quarantine: Quarantine): void;
  /** To be kept. */
  onChanged?(instanceId: string, view: ConductView): void;
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
  readonly #records = new Map<string, ConductRecord>();

  constructor(options: ConductOptions) {
    this.#options = options;
    for (const [id, { strikes, ...rest }] of options.recorded ?? []) {
      Object.assign(this.#of(id), { ...rest, strikes: { ...strikes } });
    }
  }

  view(instanceId: string): ConductView | undefined {
    const record = this.#records.get(instanceId);
    if (!record) return undefined;
    const { strikes, claimsRefused, quarantine } = record;
    return { strikes: { ...strikes }, claimsRefused, quarantine };
  }

  /** How many instances are in quarantine. */
  get quarantined(): number {
    let count = 0;
    for (const { quarantine } of this.#records.values()) if (quarantine) count++;
    return count;
  }

  quarantineOf(instanceId: string): Quarantine | undefined {
    return this.#records.get(instanceId)?.quarantine;
  }

  /** Adds up; enough of them within the window are a breach. */
  strike(strike: Strike): void {
    const { clock, onChanged } = this.#options;
    const record = this.#of(strike.instanceId);
    const now = clock.now();
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
    } else onChanged?.(strike.instanceId, this.view(strike.instanceId)!);
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
    const { knowsQueue = () => true } = this.#options;
    if (!knowsQueue()) return this.#refusedUnread(record, instanceId, uuids);
    const most = mostForeignIds(type);
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

  /** All are taken up while nothing is known of them, but never more than any instance was given. */
  #refusedUnread(record: ConductRecord, instanceId: string, uuids: Iterable<string>): ReadonlySet<string> {
    const named = [...uuids];
    const most = instanceLimits.givenIds;
    if (named.length > most && !record.quarantine) {
      const because = `it named ${named.length} containers, and ${most} is the most`;
      this.breach({ instanceId, kind: 'list', because });
    }
    return record.quarantine ? new Set(named) : new Set();
  }

  /** Nothing more is taken from the instance about the container: it is in quarantine, and was never given it. */
  isRefused(instanceId: string, uuid: string): boolean {
    const record = this.#records.get(instanceId);
    return record?.quarantine !== undefined && !this.#isGiven(record, instanceId, uuid);
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
    this.#options.onChanged?.(instanceId, this.view(instanceId)!);
    return true;
  }

  gone(instanceId: string): void {
    this.#records.delete(instanceId);
  }

  #count({ strikes }: ConductRecord, { instanceId, kind, because }: Strike): void {
    strikes[kind] = (strikes[kind] ?? 0) + 1;
    this.#options.onStrike({ instanceId, kind, because: cleanNotice(because, instanceLimits.textLength) });
  }

  #quarantine(record: ConductRecord, instanceId: string, because: string): void {
    const { clock, onChanged, onQuarantine } = this.#options;
    const isNew = record.quarantine === undefined;
    record.quarantine ??= { at: clock.now(), because: cleanNotice(because, instanceLimits.textLength) };
    onChanged?.(instanceId, this.view(instanceId)!);
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
