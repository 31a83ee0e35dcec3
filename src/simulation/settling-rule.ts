import type { ContainerRow } from '../queue/store/container-rows.js';
import type { World } from './world.js';
import type { Report } from './violation.js';

/** Stores, passes, lists that lag. */
const graceMs = 300_000;

/** A container whose instance is gone, or whose process ended, is settled: it does not stay Running for ever. */
export class SettlingRule {
  readonly #world: World;
  readonly #report: Report;
  /** For how long each such container was looked at, while nothing was wrong; ms. */
  readonly #waitedMs = new Map<string, number>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  /** Nothing was wrong since the last look, `passedMs` ago. */
  look(rows: Iterable<ContainerRow>, passedMs: number): void {
    const open = new Set<string>();
    for (const row of rows) {
      const key = `${row.uuid} ${row.attempts}`;
      if (!this.#isOver(row)) continue;
      open.add(key);
      const waitedMs = (this.#waitedMs.get(key) ?? 0) + passedMs;
      this.#waitedMs.set(key, waitedMs);
      if (waitedMs <= this.#boundMs || waitedMs - passedMs > this.#boundMs) continue;
      const what = `it is Running on ${row.instance_id} and has had no process for ${Math.round(waitedMs / 1_000)} s`;
      this.#report('what ended is settled', row.uuid, what);
    }
    for (const key of this.#waitedMs.keys()) if (!open.has(key)) this.#waitedMs.delete(key);
  }

  /** Where its row says that it runs nothing of it does. */
  #isOver({ uuid, state, instance_id: instanceId }: ContainerRow): boolean {
    if (state !== 'Running') return false;
    const { ledger } = this.#world;
    return !ledger.instances.get(instanceId)?.live.has(uuid);
  }

  /** A silent instance is waited for, then destroyed, then missed in lists; a result is fetched for a while. */
  get #boundMs(): number {
    const { pool } = this.#world.config;
    const lists = 5 * pool.syncIntervalMs + 60_000;
    return pool.timeoutProbeMs * 2 + pool.timeoutTermMs + pool.commandTimeoutMs + lists + graceMs;
  }
}
