import type { EventObject } from 'xstate';
import { parseStubCommand } from '../drivers/simulated/stub-command.js';
import type { World } from './world.js';
import type { WorkerSnapshot } from '../machines/worker.js';
import type { Report } from './violation.js';

/** What may happen to an instance, judged by what really happened. */
export class InstanceRules {
  readonly #world: World;
  readonly #report: Report;
  /** When each instance last answered a run probe; ms since the start. */
  readonly #answeredAtMs = new Map<string, number>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  /** A command reached the machine: none but those of the protocol ever does. */
  command(id: string, command: string): void {
    if (!this.#world.ledger.instances.has(id))
      return this.#report('only its own machines are told', id, command);
    const { kind } = parseStubCommand(command);
    if (kind !== 'other' || command === (this.#world.config.pool.bootProbeCommand || 'true')) return;
    this.#report('only known commands', id, command.slice(0, 200));
  }

  /** The daemon heard what the machine has to say to a command. */
  answered(id: string, command: string): void {
    const isWell = this.#world.vmOf(id)?.brokenAfterMs === undefined;
    if (isWell && parseStubCommand(command).kind === 'list') this.visited(id);
  }

  /** It said what runs on it. */
  visited(id: string): void {
    this.#answeredAtMs.set(id, this.#world.elapsedMs);
  }

  /** The daemon took the instance for gone. One that is being destroyed may be forgotten early. */
  dropped(id: string): void {
    const life = this.#world.ledger.instances.get(id);
    if (!life || life.endedAtMs !== undefined) return;
    this.#report('no record is dropped while its instance lives', id, 'it was taken for gone and is there');
  }

  step(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): void {
    if (before.value.lifecycle === after.value.lifecycle) return;
    const { lifecycle } = after.value;
    const { id } = after.context.instance;
    if (lifecycle === 'idle' || lifecycle === 'running') this.#world.ledger.ready(id);
    const wasInService = before.value.lifecycle === 'idle' || before.value.lifecycle === 'running';
    if (typeof lifecycle === 'string' || !('shutdown' in lifecycle) || !wasInService) return;
    if (event.type === 'operator.kill') return;
    this.#doomed(id, after);
  }

  /** An instance in service that is given up has no process that is well, and was silent if that is the reason. */
  #doomed(id: string, { context }: WorkerSnapshot): void {
    const { shutdownBecause, settings, runners } = context;
    const life = this.#world.ledger.instances.get(id);
    if (!life || life.endedAtMs !== undefined) return;
    const isGivenUp = Object.values(runners).every(({ gaveUp }) => gaveUp);
    const isSilent = shutdownBecause.startsWith('no answer');
    if (isSilent) {
      const silentMs = this.#world.elapsedMs - (this.#answeredAtMs.get(id) ?? 0);
      if (silentMs > settings.timeoutProbeMs / 2) return;
      const what = `given up for its silence ${Math.round(silentMs / 1_000)} s after it last answered`;
      return this.#report('silence is waited for', id, what);
    }
    if (life.live.size === 0 || (isGivenUp && Object.keys(runners).length > 0)) return;
    const what = `given up (${shutdownBecause}) while ${[...life.live.keys()].join(', ')} runs on it`;
    this.#report('no instance goes under a container', id, what);
  }

  /** Everything must be at rest. */
  atEnd(): void {
    for (const { id, endedAtMs } of this.#world.ledger.instances.values()) {
      if (endedAtMs === undefined) this.#report('every instance goes', id, 'it is still there');
    }
  }
}
