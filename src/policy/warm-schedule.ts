import { Cron } from 'croner';
import type { WarmRule } from './scheduler-settings.js';

/** Tells how many idle instances of each type are wanted at a time; of several rules that hold the largest counts. */
export class WarmSchedule {
  readonly #rules: { rule: WarmRule; cron: Cron | undefined }[];
  #wanted = new Map<string, number>();
  #minute = NaN;

  /** Throws for a text that is no schedule: the configuration is checked before. */
  constructor(rules: readonly WarmRule[]) {
    this.#rules = rules.map((rule) => ({ rule, cron: rule.schedule === '' ? undefined : cronOf(rule) }));
  }

  /** By type name; a type that is not in it has no wish. The answer holds for a whole minute. */
  wantedAt(now: number): ReadonlyMap<string, number> {
    const minute = Math.floor(now / 60_000);
    if (minute === this.#minute) return this.#wanted;
    this.#minute = minute;
    this.#wanted = new Map();
    for (const { rule, cron } of this.#rules) {
      if (cron && !cron.match(new Date(minute * 60_000))) continue;
      const known = this.#wanted.get(rule.instanceType) ?? 0;
      this.#wanted.set(rule.instanceType, Math.max(known, rule.idle));
    }
    return this.#wanted;
  }
}

function cronOf({ schedule, timezone }: Pick<WarmRule, 'schedule' | 'timezone'>): Cron {
  return new Cron(schedule, { paused: true, mode: '5-part', ...(timezone === '' ? {} : { timezone }) });
}
