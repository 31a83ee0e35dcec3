import type { RunnerProgram } from '../runner/program.js';
import { containerUuidFrom } from '../domain/ids.js';
import type { IdleBehavior } from '../domain/instance.js';
import type { ContainerRequest } from '../queue/container-store.js';
import { QueueError } from '../queue/queue.js';
import { SimulatedDaemon, type PlantedMistakes } from './daemon.js';
import type { Fault } from './faults.js';
import { strike } from './inject-fault.js';
import type { Rules } from './rules.js';
import type { Workload } from './workload.js';
import { epochMs, type World } from './world.js';

export interface StoryOptions {
  world: World;
  runner: RunnerProgram;
  rules: Rules;
  workload: Workload;
  faults: readonly Fault[];
  planted: PlantedMistakes;
}

/** An owner whose request was not taken asks again after so long. */
const submitRetryMs = 5_000;
const usualDownMs = 5_000;
/** An owner releases what was asked for with priority 0 after so long. */
const releasedAfterMs = 20 * 60_000;
/** What is left when the faults are over is given so long, beside the time of its containers one after the other. */
const aftermathMs = 4 * 3_600_000;

/** What happens from outside: containers are asked for, things go wrong, the daemon comes and goes. */
export class Story {
  readonly #options: StoryOptions;
  /** The one that leads. */
  #daemon: SimulatedDaemon | undefined;
  /** Those that led, and do not know yet that they lead no longer. */
  readonly #superseded = new Set<SimulatedDaemon>();
  #isCalm = false;
  #isOver = false;
  #submitted = 0;
  #waiting: [string, ContainerRequest, Uint8Array][] = [];
  readonly #paused = new Set<string>();
  daemons = 0;
  /** How long the next process is waited for when this one ends. */
  downMs = usualDownMs;

  constructor(options: StoryOptions) {
    this.#options = options;
  }

  get daemon(): SimulatedDaemon | undefined {
    return this.#daemon;
  }

  get world(): World {
    return this.#options.world;
  }

  /** By then all must be done that was left when the faults ended. */
  get lastMs(): number {
    const longest = this.#options.workload.reduce((most, { durationMs }) => Math.max(most, durationMs), 0);
    const left = this.openContainers().reduce((sum, uuid) => sum + this.world.durationOf(uuid), 0);
    return this.world.elapsedMs + aftermathMs + 4 * longest + left;
  }

  begin(): void {
    const { world, faults } = this.#options;
    this.#startDaemon();
    this.#submitNext();
    for (const fault of faults) {
      world.clock.setTimeout(() => {
        if (!this.#isCalm) strike(this, fault);
      }, fault.atMs);
    }
  }

  /** No fault from now on; the operator takes back every hold. */
  calm(): void {
    this.#isCalm = true;
    this.world.trouble.endAll();
    this.#daemon?.lifeline.spare();
    for (const uuid of this.#paused) this.#resume(uuid);
    this.#releaseHolds();
    this.#cancelHopeless();
  }

  /** Ids of the instances the daemon knows. */
  knownInstances(): string[] {
    const views = this.#daemon?.core?.pool.instances() ?? [];
    return views.map(({ instanceId }) => instanceId).filter((id) => id !== '');
  }

  /** Ids of the containers that have not ended. */
  openContainers(): string[] {
    const open: string[] = [];
    for (const { uuid, finishedAtMs } of this.world.ledger.containers.values()) {
      if (finishedAtMs === undefined) open.push(uuid);
    }
    return open;
  }

  /** Once a minute: whether anything waits that need not. */
  look(): void {
    const daemon = this.#daemon;
    const canAct = daemon !== undefined && daemon.isLatest && !daemon.lifeline.isFrozen;
    this.#options.rules.look(canAct ? daemon.core : undefined, daemon?.lifeline.clock.now() ?? 0);
  }

  /** What an operator asks of the daemon. */
  order(instanceId: string, order: IdleBehavior | 'kill'): void {
    this.#ask(({ core }) => {
      const pool = core?.pool;
      if (!pool?.instance(instanceId)) return;
      const because = 'the operator wants it';
      if (order === 'kill') pool.killInstance(instanceId, because);
      else pool.setIdleBehavior(instanceId, order, because);
    });
  }

  cancel(uuid: string): void {
    this.#ask(({ queue }) => void queue.cancel(uuid, 'cancelled by its owner').catch(ifQueueError));
  }

  pause(uuid: string, forMs: number): void {
    if (!this.#daemon) return;
    this.#paused.add(uuid);
    this.#ask(({ queue }) => void queue.setPriority(uuid, 0n).catch(ifQueueError));
    this.world.clock.setTimeout(() => this.#resume(uuid), forMs);
  }

  prioritise(uuid: string, priority: bigint): void {
    if (!this.#paused.has(uuid))
      this.#ask(({ queue }) => void queue.setPriority(uuid, priority).catch(ifQueueError));
  }

  isDone(): boolean {
    const { ledger } = this.world;
    if (this.#waiting.length > 0 || this.#submitted < this.#options.workload.length) return false;
    for (const { finishedAtMs } of ledger.containers.values()) if (finishedAtMs === undefined) return false;
    for (const { endedAtMs } of ledger.instances.values()) if (endedAtMs === undefined) return false;
    return true;
  }

  end(): void {
    this.#isOver = true;
    this.#daemon?.stop();
    for (const daemon of this.#superseded) daemon.stop();
  }

  /** Reaches the daemon that leads, when it does not stand still. */
  #ask(request: (daemon: SimulatedDaemon) => void): void {
    const daemon = this.#daemon;
    daemon?.lifeline.deliver(() => request(daemon));
  }

  #restartIn(ms: number): void {
    this.world.clock.setTimeout(() => this.#startDaemon(), ms);
  }

  /** One that was asked for with priority 0. */
  #releaseLater(uuid: string): void {
    this.#paused.add(uuid);
    this.world.clock.setTimeout(() => this.#resume(uuid), releasedAfterMs);
  }

  /** Asked for again and again until it is done: the owner means it. */
  #resume(uuid: string): void {
    if (!this.#paused.has(uuid) || this.#isOver) return;
    const life = this.world.ledger.containers.get(uuid);
    if (life?.finishedAtMs !== undefined) return void this.#paused.delete(uuid);
    this.#ask(({ queue }) => {
      const priority = queue.setPriority(uuid, 1n);
      priority.then(() => this.#paused.delete(uuid)).catch(ifQueueError);
    });
    this.world.clock.setTimeout(() => this.#resume(uuid), submitRetryMs);
  }

  /** The operator takes back every hold, also those an earlier process restores from the tags. */
  #releaseHolds(): void {
    if (this.#isOver) return;
    for (const view of this.#daemon?.core?.pool.instances() ?? []) {
      if (view.idleBehavior === 'hold' && view.instanceId !== '') this.order(view.instanceId, 'run');
    }
    this.world.clock.setTimeout(() => this.#releaseHolds(), 60_000);
  }

  /** What fits only on types that there never are is taken back by its owner. */
  #cancelHopeless(): void {
    if (this.#isOver) return;
    const { capacity } = this.world.settings;
    for (const { entry } of this.#daemon?.core?.dispatch.containers() ?? []) {
      const { container, instanceTypes } = entry;
      const isHopeless = instanceTypes.every(({ providerType }) => capacity[providerType] === 0);
      if (isHopeless && container.state !== 'Running') this.cancel(container.uuid);
    }
    this.world.clock.setTimeout(() => this.#cancelHopeless(), 60_000);
  }

  #startDaemon(): void {
    const { world, runner, rules, planted } = this.#options;
    if (this.#isOver || this.#daemon) return;
    const number = ++this.daemons;
    world.note('simulation.daemon-started', { data: { number } });
    const daemon: SimulatedDaemon = new SimulatedDaemon({
      world,
      number,
      runner,
      planted,
      observer: {
        asked: (operation, subject) => {
          if (operation !== 'list') rules.order(operation, subject, daemon.isLatest);
        },
        listed: () => {},
        step: (event, before, after) => {
          if (daemon.isLatest) rules.step(event, before, after);
        },
        entry: (entry) => {
          if (daemon.isLatest) rules.entry(entry, daemon.core);
        },
        command: (instanceId, command) => rules.command(instanceId, command, daemon.isLatest),
        answered: (instanceId, command) => {
          if (daemon.isLatest) rules.answered(instanceId, command);
        },
        visited: (instanceId) => rules.visited(instanceId),
        ended: () => {
          world.note('simulation.daemon-ended', { data: { number } });
          if (this.#superseded.delete(daemon)) return;
          this.#daemon = undefined;
          if (!this.#isOver) this.#restartIn(this.downMs);
          this.downMs = usualDownMs;
        },
        superseded: () => {
          if (this.#isOver) return;
          this.#superseded.add(daemon);
          this.#daemon = undefined;
          this.#startDaemon();
        },
      },
    });
    this.#daemon = daemon;
    void daemon.start().catch((error: unknown) => rules.report('the daemon starts', '', String(error)));
    this.#submitWaiting();
  }

  #submitNext(): void {
    const { world, workload } = this.#options;
    const item = workload[this.#submitted];
    if (!item) return;
    world.clock.setTimeout(
      () => {
        for (let next = workload[this.#submitted]; next && next.atMs <= world.elapsedMs;) {
          const random = world.random.fork(`container ${this.#submitted++}`).bytes(15);
          const uuid = containerUuidFrom(world.config.clusterId, random);
          world.assign(uuid, next);
          this.#waiting.push([uuid, next.request, random]);
          if (next.request.priority === 0n) this.#releaseLater(uuid);
          next = workload[this.#submitted];
        }
        this.#submitWaiting();
        this.#submitNext();
      },
      epochMs + item.atMs - world.clock.now(),
    );
  }

  /** What was not taken for sure is asked for again; a request that was taken is known by its key. */
  #submitWaiting(): void {
    const { world } = this.#options;
    const daemon = this.#daemon;
    this.#waiting = this.#waiting.filter(([uuid]) => !world.ledger.containers.has(uuid));
    if (!daemon || this.#waiting.length === 0) return;
    const requests = this.#waiting.map(([, request, random]): [ContainerRequest, Uint8Array] => [
      request,
      random,
    ]);
    this.#ask(() => {
      daemon.submit(requests).then(
        () => (this.#waiting = this.#waiting.filter(([uuid]) => !world.ledger.containers.has(uuid))),
        () => void world.clock.setTimeout(() => this.#submitWaiting(), submitRetryMs),
      );
    });
  }
}

/** The container ended meanwhile, or the store is down: the owner lets it be. */
function ifQueueError(error: unknown): void {
  if (!(error instanceof QueueError)) throw error;
}
