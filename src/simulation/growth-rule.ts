import type { BreakerView } from '../domain/breaker-view.js';
import type { Core } from '../daemon/core.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { JournalEntry } from '../journal/journal.js';
import type { World } from './world.js';
import type { Report } from './violation.js';

/** What every wait may take beyond its hold: passes, calls, a busy queue. */
const graceMs = 120_000;
/** Pauses do not double beyond this. */
const longestHoldMs = 1_800_000;
/** Waits for the provider. */
const growthCodes: ReadonlySet<string> = new Set(['cloud-limit', 'types-at-capacity', 'paced', 'protected']);
/** Facts that show that the fleet is asked to grow, or grows. */
const moves = /^(launch\.|worker\.appeared$)/;

/** A container that waits for an instance of types of which the provider has one. */
interface Waiter {
  uuid: string;
  code: string;
  types: readonly InstanceType[];
}

/**
 * Nothing waits for quota, capacity, pace or protection longer than its hold allows while the provider has room. The
 * provider's room is the truth; how long a hold may last is what the configuration says of it.
 */
export class GrowthRule {
  readonly #world: World;
  readonly #report: Report;
  /** When an instance was last asked for, or nothing waited that could be served; ms since the start. */
  #freeSinceMs = 0;
  /** Refusals since the breakers of their kind were last closed: pauses double with those of trials. */
  readonly #refusals = { quota: 0, capacity: 0 };
  /** Fewest instances the daemon counted at a quota error of the hold that is on; `undefined`: none is on. */
  #countAtRefusal: number | undefined;
  /** Since when it counts fewer than that. */
  #fewerSinceMs: number | undefined;

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  /** The daemon wrote that down; `core`: as it is right after. */
  entry({ kind, because = '' }: JournalEntry, core: Core | undefined): void {
    if (moves.test(kind)) this.#freeSinceMs = this.#world.elapsedMs;
    if (kind === 'launch.refused' && because.startsWith('capacity')) this.#refusals.capacity++;
    if (kind === 'launch.refused' && because.startsWith('quota') && core) {
      this.#refusals.quota++;
      this.#countAtRefusal = Math.min(this.#countAtRefusal ?? Infinity, countOf(core));
    }
    if (kind === 'launch.created' && core && !isHeld(core, 'quota')) this.#countAtRefusal = undefined;
  }

  /** Another daemon process begins, or this one cannot be judged now. */
  reset(isAnew: boolean): void {
    this.#freeSinceMs = this.#world.elapsedMs;
    if (!isAnew) return;
    this.#countAtRefusal = undefined;
    this.#fewerSinceMs = undefined;
  }

  /** `now`: by the daemon's clock. */
  look(core: Core, now: number): void {
    const { elapsedMs } = this.#world;
    this.#lookAtQuota(core);
    const waiter = this.#hasRoom(core) ? this.#firstWaiter(core) : undefined;
    if (!waiter) return void (this.#freeSinceMs = elapsedMs);
    const hold = this.#longestHold(core, waiter, now);
    const since = this.#countsFewer(core)
      ? Math.max(this.#freeSinceMs, this.#fewerSinceMs!)
      : this.#freeSinceMs;
    if (elapsedMs - since <= hold.ms + graceMs) return;
    const seconds = Math.round((elapsedMs - since) / 1_000);
    const what =
      `it waits (${waiter.code}) and no instance was asked for in ${seconds} s, while the provider has ` +
      `${waiter.types.map(({ name }) => name).join(', ')}: ${hold.what}`;
    this.#report('no wait outlasts its hold', waiter.uuid, what);
    this.#freeSinceMs = elapsedMs;
    this.#fewerSinceMs = elapsedMs;
  }

  #lookAtQuota(core: Core): void {
    const keys = core.pool.breakers().map(({ key }) => key);
    if (!keys.includes('quota')) this.#refusals.quota = 0;
    if (!keys.some((key) => key.startsWith('capacity'))) this.#refusals.capacity = 0;
    if (!isHeld(core, 'quota')) this.#countAtRefusal = undefined;
    if (!this.#countsFewer(core)) this.#fewerSinceMs = undefined;
    else this.#fewerSinceMs ??= this.#world.elapsedMs;
  }

  #countsFewer(core: Core): boolean {
    return this.#countAtRefusal !== undefined && countOf(core) < this.#countAtRefusal;
  }

  #hasRoom(core: Core): boolean {
    const { maxInstances } = this.#world.config.pool;
    return maxInstances === 0 || countOf(core) < maxInstances;
  }

  #firstWaiter(core: Core): Waiter | undefined {
    for (const { entry, wait } of core.dispatch.containers()) {
      if (!wait || !growthCodes.has(wait.code)) continue;
      const types = entry.instanceTypes.filter((type) => this.#world.hasRoomFor(type));
      if (types.length > 0) return { uuid: entry.container.uuid, code: wait.code, types };
    }
    return undefined;
  }

  /** The longest of the holds that may keep the daemon from asking for one of those types. */
  #longestHold(core: Core, { types }: Waiter, now: number): { ms: number; what: string } {
    const { pool } = this.#world.config;
    const holds = [{ ms: 0, what: 'no hold is on' }];
    if (core.pool.launches().length > 0)
      holds.push({ ms: pool.cloudCallTimeoutMs, what: 'create calls are under way' });
    for (const view of core.pool.breakers()) {
      const text = `${view.key} is ${view.state}: ${view.reason}`;
      const ms = this.#holdMs(view, core, types, now);
      if (ms !== undefined) holds.push({ ms, what: text });
    }
    return holds.reduce((most, hold) => (hold.ms > most.ms ? hold : most));
  }

  /** `undefined`: it does not hold these types. */
  #holdMs(
    { key, state, until }: BreakerView,
    core: Core,
    types: readonly InstanceType[],
    now: number,
  ): number | undefined {
    const { pool } = this.#world.config;
    const trialMs = state === 'probing' ? pool.cloudCallTimeoutMs : 0;
    if (key === 'quota') {
      if (this.#countsFewer(core)) return trialMs + pool.quotaHoldOffMs + 2 * pool.syncIntervalMs;
      return trialMs + doubled(Math.max(pool.quotaRetryMs, pool.quotaHoldOffMs), this.#refusals.quota);
    }
    // Only what says until when, as the provider or failed boots made it so.
    if (key === 'create pace' || key.startsWith('boot: ') || key.startsWith('failing: ')) {
      if (/^(boot|failing): type /.test(key) && !types.some((type) => isAbout(key, type))) return undefined;
      if (state === 'open') return until !== undefined && until > now - graceMs ? Infinity : 0;
      return trialMs + (key.startsWith('boot: ') ? 2 * pool.timeoutBootingMs : 0);
    }
    if (!key.startsWith('capacity')) return undefined;
    return trialMs + doubled(pool.capacityHoldOffMs, this.#refusals.capacity);
  }
}

/** A pause that is twice as long after each trial that was refused in a row. */
function doubled(ms: number, refusals: number): number {
  return Math.max(ms, Math.min(longestHoldMs, ms * 2 ** Math.max(0, refusals - 1)));
}

function isAbout(key: string, { name, providerType }: InstanceType): boolean {
  return key.endsWith(`type ${name}`) || key.includes(`type ${providerType}`);
}

/** As it counts them against its quota: workers, and creations whose instance is not among them yet. */
function countOf({ pool }: Core): number {
  return pool.instances().length;
}

function isHeld({ pool }: Core, key: string): boolean {
  return pool.breakers().some((view) => view.key === key && view.state !== 'halfOpen');
}
