import { createActor, fromCallback, fromPromise, type ActorRefFrom } from 'xstate';
import { observed, type TransitionObserver } from '../../src/machines/inspection/observe-transitions.js';
import type { Instance } from '../../src/domain/instance.js';
import { tagKeys } from '../../src/domain/instance.js';
import { noGpu, type InstanceType } from '../../src/domain/instance-type.js';
import type { RunnerListing } from '../../src/domain/runner-listing.js';
import { runnerMachine } from '../../src/machines/runner.js';
import type { RemoteFailure, RemoteOutcome, RunProbeOutcome } from '../../src/machines/worker-effects.js';
import type { WorkerEvent, WorkerFact, WorkerSettings } from '../../src/machines/worker-model.js';
import { workerMachine } from '../../src/machines/worker.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';

export const uuid1 = 'zzzzz-dz642-000000000000001';
export const uuid2 = 'zzzzz-dz642-000000000000002';

export const smallType: InstanceType = {
  name: 'small',
  providerType: 'provider.small',
  vcpus: 2,
  ramBytes: 2 ** 31,
  scratchBytes: 2 ** 33,
  includedScratchBytes: 2 ** 33,
  addedScratchBytes: 0,
  price: 0.1,
  preemptible: false,
  gpu: noGpu,
};

export const workerSettings: WorkerSettings = {
  tagKeys: tagKeys('Longshore'),
  timeoutIdleMs: 60_000,
  timeoutBootingMs: 60_000,
  bootStageTimeoutsMs: {
    requested: 60_000,
    addressed: 60_000,
    connected: 60_000,
    verified: 60_000,
    booted: 60_000,
    copied: 60_000,
  },
  timeoutProbeMs: 1_000,
  timeoutShutdownMs: 10_000,
  timeoutStaleRunLockMs: 5_000,
  tagRetryMs: 1_000,
  watchRetryMs: 10_000,
  collects: false,
  runnerTimings: {
    timeoutTermMs: 120_000,
    timeoutSignalMs: 5_000,
    collectRetryMs: 1_000,
    timeoutCollectMs: 60_000,
  },
};

export const failure: RemoteFailure = {
  ok: false,
  code: 'exit',
  message: 'exit status 1',
  stdout: '',
  stderr: 'not yet',
  expected: true,
};

/** An answer now, or a promise the test settles later. */
export type Answer<T> = T | Promise<T>;

export const emptyListing: RunnerListing = {
  live: [],
  stale: [],
  ended: [],
  broken: false,
  interruption: '',
};

export const listing = (change: Partial<RunnerListing> = {}): RunProbeOutcome => ({
  ok: true,
  listing: { ...emptyListing, ...change },
  durationMs: 5,
});

export interface WorldOptions {
  settings?: Partial<WorkerSettings>;
  tags?: Record<string, string>;
  address?: string;
  expected?: boolean;
  typeIsConfigured?: boolean;
  observe?: TransitionObserver<typeof workerMachine>;
  /** Plants a bug. */
  sabotage?: (machine: typeof workerMachine) => typeof workerMachine;
}

/** One worker among effects a test answers, on a clock a test moves. Records every order that left the worker. */
export class WorkerWorld {
  readonly clock = new HeapClock(1_000_000);
  readonly orders: string[] = [];
  readonly facts: WorkerFact[] = [];
  readonly writtenTags: Record<string, string>[] = [];
  boot: () => Answer<RemoteOutcome> = () => ({ ok: true });
  copy: () => Answer<RemoteOutcome> = () => ({ ok: true });
  list: () => Answer<RunProbeOutcome> = () => listing();
  start: (uuid: string) => Answer<RemoteOutcome> = () => ({ ok: true });
  kill: (uuid: string) => Answer<RemoteOutcome> = () => failure;
  collect: (uuid: string) => Answer<RemoteOutcome> = () => ({ ok: true });
  destroy: () => Answer<RemoteOutcome> = () => ({ ok: true });
  save: () => Answer<RemoteOutcome> = () => ({ ok: true });
  watchSend: ((event: WorkerEvent) => void) | undefined;
  error: unknown;
  readonly actor: ActorRefFrom<typeof workerMachine>;

  constructor(options: WorldOptions = {}) {
    const settings = { ...workerSettings, ...options.settings };
    const instance: Instance = {
      id: 'i-1',
      displayName: 'i-1',
      providerType: smallType.providerType,
      address: options.address ?? '127.0.0.1:22',
      remoteUser: 'root',
      tags: {
        [settings.tagKeys.instanceType]: 'small',
        [settings.tagKeys.idleBehavior]: 'run',
        [settings.tagKeys.instanceSecret]: 'sha256:00',
        ...options.tags,
      },
      priceHistory: [],
    };
    const input = {
      clock: this.clock,
      settings,
      instance,
      instanceType: smallType,
      typeIsConfigured: options.typeIsConfigured ?? true,
      expected: options.expected ?? true,
    };
    const { observe, sabotage = (machine) => machine } = options;
    const bare = sabotage(this.#machine());
    const machine = observe ? observed(bare, this.clock, observe) : bare;
    this.actor = createActor(machine, { clock: this.clock, input });
    this.actor.on('*', (fact) => void this.facts.push(fact));
    this.actor.subscribe({ error: (error) => (this.error = error) });
    this.actor.start();
  }

  /** Where the worker is: `booting.copied` is `booting`. */
  get state(): string {
    const { lifecycle } = this.actor.getSnapshot().value;
    return typeof lifecycle === 'string' ? lifecycle : Object.keys(lifecycle)[0]!;
  }

  get behavior(): string {
    return this.actor.getSnapshot().context.idleBehavior;
  }

  get runners(): string[] {
    return Object.keys(this.actor.getSnapshot().context.runners).sort();
  }

  get outcome(): string | undefined {
    return this.actor.getSnapshot().context.bootOutcome;
  }

  exits(): string[] {
    return this.facts.flatMap((fact) => (fact.type === 'container.exited' ? [fact.uuid] : []));
  }

  count(order: string): number {
    return this.orders.filter((each) => each === order).length;
  }

  async send(event: WorkerEvent): Promise<void> {
    this.actor.send(event);
    await settle();
  }

  /** One probe round, from its order to its end. */
  async probe(): Promise<void> {
    await this.send({ type: 'probe.due' });
  }

  async assign(uuid: string): Promise<void> {
    await this.send({ type: 'container.assigned', uuid, queuedAt: this.clock.now() });
  }

  /** In service with these containers on it. */
  async bringUp(...uuids: string[]): Promise<void> {
    this.list = () => listing({ live: uuids });
    await this.probe();
  }

  #machine(): typeof workerMachine {
    const note = <T>(order: string, answer: T): T => {
      this.orders.push(order);
      return answer;
    };
    const runner = runnerMachine.provide({
      actors: {
        startContainer: fromPromise(async ({ input }) =>
          note(`start ${input.uuid}`, await this.start(input.uuid)),
        ),
        killContainer: fromPromise(async ({ input }) =>
          note(`kill ${input.uuid}`, await this.kill(input.uuid)),
        ),
        collectResult: fromPromise(async ({ input }) =>
          note(`collect ${input.uuid}`, await this.collect(input.uuid)),
        ),
      },
    });
    return workerMachine.provide({
      actors: {
        runner,
        bootProbe: fromPromise(() => {
          this.orders.push('boot');
          return Promise.resolve(this.boot());
        }),
        copyRunner: fromPromise(() => {
          this.orders.push('copy');
          return Promise.resolve(this.copy());
        }),
        runProbe: fromPromise(() => {
          this.orders.push('list');
          return Promise.resolve(this.list());
        }),
        destroyInstance: fromPromise(() => {
          this.orders.push('destroy');
          return Promise.resolve(this.destroy());
        }),
        saveTags: fromPromise(({ input }) => {
          this.orders.push('tags');
          this.writtenTags.push({ ...input.tags });
          return Promise.resolve(this.save());
        }),
        watch: fromCallback(({ sendBack }) => {
          this.orders.push('watch');
          this.watchSend = sendBack;
          return () => {
            this.watchSend = undefined;
          };
        }),
      },
    });
  }
}

/** A promise and the means to settle it. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settleIt) => (resolve = settleIt));
  return { promise, resolve };
}
