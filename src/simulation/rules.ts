import type { EventObject } from 'xstate';
import type { Core } from '../daemon/core.js';
import { parseStubCommand } from '../drivers/simulated/stub-command.js';
import type { JournalEntry } from '../journal/journal.js';
import { ContainerRules } from './container-rules.js';
import { InstanceRules } from './instance-rules.js';
import { LivenessRules } from './liveness-rules.js';
import type { World } from './world.js';
import type { WorkerSnapshot } from '../machines/worker.js';
import type { Violation, Report } from './violation.js';

/**
 * Everything a run is judged by: the invariants that watch every live daemon, told by its journal, and beside them
 * what only somebody can judge who knows the truth about machines, processes and rows.
 */
export class Rules {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #containers: ContainerRules;
  readonly #instances: InstanceRules;
  readonly #liveness: LivenessRules;

  constructor(world: World) {
    this.#world = world;
    const report: Report = (rule, subject, what) => this.report(rule, subject, what);
    this.#containers = new ContainerRules(world, report);
    this.#instances = new InstanceRules(world, report);
    this.#liveness = new LivenessRules(world, report);
    world.ledger.listen((event) => {
      if (event.kind === 'row') this.#containers.row(event.row, event.before);
      if (event.kind === 'began') this.#containers.began(event.uuid, event.run);
    });
  }

  /** The daemon wrote this down; `core`: as it is right after. */
  entry(entry: JournalEntry, core: Core | undefined): void {
    const { kind, to = '', instance, container, because = '' } = entry;
    this.#liveness.entry(entry, core);
    if (kind === 'invariant.violated') this.#add(to, container ?? instance ?? '', because);
    if (kind === 'container.exited' && because === 'lost')
      this.#containers.givenUp(container ?? '', instance ?? '');
    if (kind === 'worker.gone') this.#instances.dropped(instance ?? '');
    if (kind === 'worker.broke') this.#add('no worker breaks', instance ?? '', because);
  }

  /** Once a minute; `core`: of the daemon that leads and can act, `undefined` when there is none; `now`: by its clock. */
  look(core: Core | undefined, now: number): void {
    this.#liveness.look(core, now);
  }

  step(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): void {
    this.#instances.step(event, before, after);
  }

  command(instanceId: string, command: string, isLeading: boolean): void {
    this.#instances.command(instanceId, command);
    const { kind } = parseStubCommand(command);
    if (kind === 'start' || kind === 'kill') this.order(kind, instanceId, isLeading);
  }

  /** Something is ordered: of a machine, or of the provider. */
  order(what: string, subject: string, isLeading: boolean): void {
    if (!isLeading)
      this.report('only the leader gives orders', subject, `${what} by one that leads no longer`);
  }

  answered(instanceId: string, command: string): void {
    this.#instances.answered(instanceId, command);
  }

  visited(instanceId: string): void {
    this.#instances.visited(instanceId);
  }

  report(rule: string, subject: string, what: string): void {
    this.#add(rule, subject, what);
    this.#world.note('simulation.violation', { to: subject, because: `${rule}: ${what}` });
  }

  /** Nothing is left to be done: everything must be at rest. */
  atEnd(): void {
    this.#containers.atEnd();
    this.#instances.atEnd();
  }

  #add(rule: string, subject: string, what: string): void {
    this.violations.push({ atMs: this.#world.elapsedMs, rule, subject, what });
  }
}
