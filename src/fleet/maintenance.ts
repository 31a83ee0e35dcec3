import type { Clock } from '../domain/clock.js';
import type { Quarantine } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { Plan } from '../policy/plan.js';
import { noUpkeepMemory, upkeep, type UpkeepMemory, type UpkeepSettings } from '../policy/maintenance.js';
import { WarmSchedule } from '../policy/warm-schedule.js';
import type { Pool } from './pool.js';
import type { InstanceView } from '../domain/instance-view.js';
import type { WarmRule } from '../policy/scheduler-settings.js';

/** Which instances are in quarantine for what they did. */
export interface QuarantineSight {
  readonly hasQuarantine: boolean;
  quarantineOf(instanceId: string): Quarantine | undefined;
}

const noQuarantine: QuarantineSight = { hasQuarantine: false, quarantineOf: () => undefined };

export interface UpkeepOptions {
  clock: Clock;
  pool: Pool;
  /** Default: no instance is in quarantine. */
  conduct?: QuarantineSight;
  settings: UpkeepSettings & { warm: readonly WarmRule[] };
  typeNamed(name: string): InstanceType | undefined;
  decided(decision: { kind: string; instance?: string; because: string }): void;
}

/** Keeps the fleet as its operator wants it beside what containers need: warm, paced, and not too old. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #conduct: QuarantineSight;
  readonly #schedule: WarmSchedule;
  #memory: UpkeepMemory = noUpkeepMemory;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#conduct = options.conduct ?? noQuarantine;
    this.#schedule = new WarmSchedule(options.settings.warm);
  }

  /** Longest time between two rounds, so that none that is to be kept idles for too long; ms. */
  get intervalMs(): number {
    const { warm, coolDownMs, timeoutIdleMs } = this.#options.settings;
    return warm.length === 0 && coolDownMs === 0 ? Infinity : timeoutIdleMs / 4;
  }

  get #isWanted(): boolean {
    const { warm, coolDownMs, maxInstanceAgeMs, maxContainersPerInstance } = this.#options.settings;
    if (this.#conduct.hasQuarantine) return true;
    return warm.length > 0 || coolDownMs > 0 || maxInstanceAgeMs > 0 || maxContainersPerInstance > 0;
  }

  /** To be called after the orders of the pass were given. */
  run({ spare, isCrowded }: Pick<Plan, 'spare' | 'isCrowded'>, instances: readonly InstanceView[]): void {
    const { clock, pool, settings, typeNamed, decided } = this.#options;
    if (!this.#isWanted) return;
    const { actions, memory } = upkeep({
      now: clock.now(),
      instances,
      unused: spare.unused,
      wanted: this.#schedule.wantedAt(clock.now()),
      // While containers wait for room, none is taken for instances that only stand ready.
      creatable: isCrowded ? 0 : spare.creatable,
      isAvailable: (type) => !pool.atCapacity(type),
      typeNamed,
      quarantineOf: (instanceId) => this.#conduct.quarantineOf(instanceId),
      settings,
      memory: this.#memory,
    });
    this.#memory = memory;
    for (const action of actions) {
      switch (action.kind) {
        case 'keep':
          pool.keep(action.instanceId);
          break;
        case 'retire':
          pool.setIdleBehavior(action.instanceId, 'drain', action.because);
          break;
        case 'destroy':
          pool.killInstance(action.instanceId, action.because);
          break;
        case 'create': {
          const { instanceType, because } = action;
          if (typeof pool.create(instanceType, because) === 'string') break;
          decided({ kind: 'create', because: `${instanceType.name}: ${because}` });
        }
      }
    }
  }
}
