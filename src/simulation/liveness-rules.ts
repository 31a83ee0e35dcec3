import type { Core } from '../daemon/core.js';
import type { JournalEntry } from '../journal/journal.js';
import type { FaultKind } from './faults.js';
import { GrowthRule } from './growth-rule.js';
import { SettlingRule } from './settling-rule.js';
import { WaitRules } from './wait-rules.js';
import type { World } from './world.js';
import type { Report } from './violation.js';

/** While one of these is on, nothing need move. */
const hindrances: readonly FaultKind[] = [
  'api-failures',
  'api-lost-replies',
  'api-late-replies',
  'list-lag',
  'list-gaps',
  'silence',
  'blackout',
  'lost-commands',
  'lost-answers',
  'lying-starts',
  'lying-lists',
  'impostor',
  'store-outage',
];

/** A daemon that has just begun looks what is there. */
const looksOfStart = 3;

/** Whatever waits, waits for something that can happen: the part of the rules that time breaks. */
export class LivenessRules {
  readonly #world: World;
  readonly #growth: GrowthRule;
  readonly #waits: WaitRules;
  readonly #settling: SettlingRule;
  #core: Core | undefined;
  /** At this daemon process. */
  #looks = 0;
  /** When it was last looked and nothing was wrong; `undefined`: something was. */
  #calmAtMs: number | undefined;

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#growth = new GrowthRule(world, report);
    this.#waits = new WaitRules(world, report);
    this.#settling = new SettlingRule(world, report);
  }

  entry(entry: JournalEntry, core: Core | undefined): void {
    this.#growth.entry(entry, core);
  }

  /** Once a minute; `core`: of the daemon that leads and can act, `undefined` when there is none; `now`: by its clock. */
  look(core: Core | undefined, now: number): void {
    const { elapsedMs, trouble } = this.#world;
    const isAnew = core !== this.#core;
    this.#core = core;
    const isHindered = core === undefined || isAnew || hindrances.some((kind) => trouble.hasAny(kind));
    this.#looks = isAnew ? 0 : this.#looks + 1;
    if (isHindered || this.#looks < looksOfStart || core.pool.hasUnknownWorkers()) {
      this.#growth.reset(isAnew);
      this.#calmAtMs = undefined;
      return;
    }
    const passedMs = this.#calmAtMs === undefined ? 0 : elapsedMs - this.#calmAtMs;
    this.#calmAtMs = elapsedMs;
    this.#growth.look(core, now);
    this.#waits.look(core, passedMs, now);
    this.#settling.look(this.#world.rows.open(), passedMs);
  }
}
