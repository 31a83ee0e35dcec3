import { createActor, type ActorRefFrom } from 'xstate';
import {
  dispatcherMachine,
  type DispatcherEvent,
  type DispatchPort,
} from '../../../src/machines/dispatcher.js';
import { Deadlines } from '../exploring/deadlines.js';
import { buildMachine, Effects, oncePerBuild, scripted, type Stage } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, Reference, Subject, World } from '../exploring/world.js';

const pollIntervalMs = 30_000;
const fetchRetryMs = 3_000;
const staleLockTimeoutMs = 61_000;
const idlePassIntervalMs = 10_100;
const passPauseMs = 5;
const operationRetryMs = 250;

const events: Readonly<Record<string, DispatcherEvent>> = {
  changed: { type: 'world.changed' },
  refused: { type: 'operation.refused' },
  stop: { type: 'stop' },
};

const machineOf = oncePerBuild((build) => {
  const stage = {} as Stage;
  const actors = {
    fetchQueue: scripted(stage, () => 'fetch'),
    poolLoaded: scripted(stage, () => 'pool'),
  };
  return { stage, machine: buildMachine(build, 'dispatcher', dispatcherMachine, actors) };
});

interface DispatcherOptions {
  hasStaleLocks: boolean;
}

/** The loop over a queue and a pool that say what the test wants. */
class DispatcherWorld implements World {
  readonly #clock = new ModelClock(0);
  readonly #effects = new Effects((record) => void this.#records.push(record));
  readonly #stage: Stage;
  readonly #actor: ActorRefFrom<typeof dispatcherMachine>;
  #records: string[] = [];
  #hasStaleLocks: boolean;

  constructor({ hasStaleLocks }: DispatcherOptions, build: Build) {
    const { stage, machine } = machineOf(build);
    this.#stage = stage;
    stage.effects = this.#effects;
    this.#hasStaleLocks = hasStaleLocks;
    const port: DispatchPort = {
      runPass: () => void this.#records.push('plan'),
      mayHaveStaleLocks: () => this.#hasStaleLocks,
      lastFetchMs: () => 0,
      passPauseMs: () => passPauseMs,
      idlePassIntervalMs: () => idlePassIntervalMs,
      unlockStale: () => void this.#records.push('unlock stale'),
      noteFetchFailure: (error) => void this.#records.push(`cannot read the queue: ${String(error)}`),
    };
    const input = { port, pollIntervalMs, staleLockTimeoutMs };
    this.#actor = createActor(machine, { clock: this.#clock, input });
    this.#actor.subscribe({ error: (error) => void this.#records.push(`broke ${String(error)}`) });
    this.#actor.start();
  }

  options(): string[] {
    if (this.#actor.getSnapshot().status !== 'active') return [];
    const answers = this.#effects.names().flatMap((name) => [`${name} ok`, `${name} fail`]);
    const settles = this.#hasStaleLocks ? ['locks settled'] : [];
    return [...this.#clock.nextStep(), 'pause 3', ...settles, ...answers, ...Object.keys(events)];
  }

  apply(step: string): void {
    this.#stage.effects = this.#effects;
    const [word = '', what = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(what));
    if (word === 'locks') return void (this.#hasStaleLocks = false);
    const event = events[word];
    if (event) return this.#actor.send(event);
    if (what === 'ok') return this.#effects.succeed(word, undefined);
    this.#effects.fail(word, 'it is away');
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  key(): string {
    const { value, status } = this.#actor.getSnapshot();
    return JSON.stringify([
      status,
      value,
      this.#hasStaleLocks,
      timerNames(this.#actor),
      this.#clock.waits(5_000),
    ]);
  }

  end(): void {
    this.#stage.effects = this.#effects;
    this.#actor.stop();
  }
}

/** SC-1 to SC-6, FX-1 to FX-6, UL-3. */
class DispatcherReference implements Reference {
  readonly #deadlines = new Deadlines(0);
  #records: string[] = [];
  #step: 'reading' | 'pausing' | 'pool' | 'locks' | 'working' | 'stopped' = 'reading';
  #hasStaleLocks: boolean;
  #isFetching = true;
  /** What a change does now: a pass at once, or a little later, or it is on its way already. */
  #pass: 'just made' | 'soon' | 'waits' | 'retries' = 'waits';

  constructor({ hasStaleLocks }: DispatcherOptions) {
    this.#hasStaleLocks = hasStaleLocks;
    this.#records.push('> fetch');
  }

  apply(step: string): void {
    const [word = '', what = ''] = step.split(' ');
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#deadlines.pass(Number(what));
      case 'locks':
        this.#hasStaleLocks = false;
        return;
      case 'changed':
        return this.#changed();
      case 'refused':
        return this.#refused();
      case 'stop':
        if (this.#isFetching) this.#records.push('x fetch');
        if (this.#step === 'pool') this.#records.push('x pool');
        this.#step = 'stopped';
        return this.#deadlines.clearAll();
      case 'pool':
        this.#step = 'locks';
        this.#deadlines.set('locks', staleLockTimeoutMs, () => {
          this.#records.push('unlock stale');
          this.#work();
        });
        return this.#lookAtLocks();
      default:
        return this.#fetched(what === 'ok');
    }
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  #fetch(): void {
    this.#isFetching = true;
    this.#records.push('> fetch');
  }

  #fetched(ok: boolean): void {
    this.#isFetching = false;
    if (!ok) this.#records.push('cannot read the queue: it is away');
    if (this.#step === 'working') return this.#deadlines.set('poll', pollIntervalMs, () => this.#fetch());
    if (ok) {
      this.#step = 'pool';
      return void this.#records.push('> pool');
    }
    this.#step = 'pausing';
    this.#deadlines.set('poll', fetchRetryMs, () => {
      this.#step = 'reading';
      this.#fetch();
    });
  }

  #lookAtLocks(): void {
    if (this.#hasStaleLocks) return;
    this.#work();
  }

  #work(): void {
    this.#step = 'working';
    this.#deadlines.clear('locks');
    this.#deadlines.set('poll', pollIntervalMs, () => this.#fetch());
    this.#plan();
  }

  #changed(): void {
    if (this.#step === 'locks') return this.#lookAtLocks();
    if (this.#step !== 'working') return;
    if (this.#pass === 'just made' || this.#pass === 'retries') this.#planSoon();
    else if (this.#pass !== 'soon') this.#plan();
  }

  #refused(): void {
    if (this.#step === 'locks') return this.#lookAtLocks();
    if (this.#step !== 'working' || this.#pass === 'soon' || this.#pass === 'retries') return;
    this.#pass = 'retries';
    this.#deadlines.set('pass', operationRetryMs, () => this.#plan());
  }

  #planSoon(): void {
    this.#pass = 'soon';
    this.#deadlines.set('pass', passPauseMs, () => this.#plan());
  }

  #plan(): void {
    this.#records.push('plan');
    this.#pass = 'just made';
    this.#deadlines.set('pass', passPauseMs, () => {
      this.#pass = 'waits';
      this.#deadlines.set('pass', idlePassIntervalMs, () => this.#plan());
    });
  }
}

export const dispatcherSubject: Subject<DispatcherOptions> = {
  name: 'dispatcher',
  machine: dispatcherMachine,
  pairRules: { ignored: [], impossible: [] },
  scenarios: [true, false].map((hasStaleLocks) => ({
    name: hasStaleLocks ? 'locks of an earlier process' : 'no locks',
    options: { hasStaleLocks },
    steps: /./,
  })),
  world: (options, build) => new DispatcherWorld(options, build),
  reference: (options) => new DispatcherReference(options),
};
