import { createActor, type ActorRefFrom } from 'xstate';
import {
  connectionMachine,
  type ConnectionEvent,
  type ConnectionPort,
} from '../../../src/machines/connection.js';
import { Deadlines } from '../exploring/deadlines.js';
import { buildMachine, Effects, oncePerBuild, scripted, type Stage } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, Reference, Subject, World } from '../exploring/world.js';

const firstBackOffMs = 100;
const longestBackOffMs = 350;
const events: Readonly<Record<string, ConnectionEvent>> = {
  wanted: { type: 'connect.wanted' },
  lost: { type: 'lost' },
  close: { type: 'close' },
};

const machineOf = oncePerBuild((build) => {
  const stage = {} as Stage;
  const actors = {
    open: scripted<ConnectionPort>(stage, () => 'open'),
    verify: scripted<ConnectionPort>(stage, () => 'verify'),
  };
  return { stage, machine: buildMachine(build, 'connection', connectionMachine, actors) };
});

/** One SSH connection on a network that does as it is told. */
class ConnectionWorld implements World {
  readonly #clock = new ModelClock(0);
  readonly #effects = new Effects((record) => void this.#records.push(record));
  readonly #stage: Stage;
  readonly #actor: ActorRefFrom<typeof connectionMachine>;
  #records: string[] = [];

  constructor(build: Build) {
    const { stage, machine } = machineOf(build);
    this.#stage = stage;
    stage.effects = this.#effects;
    const port: ConnectionPort = {
      openConnection: () => Promise.resolve(),
      verify: () => Promise.resolve(),
      drop: () => void this.#records.push('hang up'),
    };
    const input = { port, firstBackOffMs, longestBackOffMs };
    this.#actor = createActor(machine, { clock: this.#clock, input });
    this.#actor.on('*', (fact) => {
      const error = 'error' in fact ? ` ${String(fact.error)}` : '';
      this.#records.push(`tells ${fact.type}${error}`);
    });
    this.#actor.subscribe({ error: (error) => void this.#records.push(`broke ${String(error)}`) });
    this.#actor.start();
  }

  options(): string[] {
    if (this.#actor.getSnapshot().status !== 'active') return [];
    const answers = this.#effects.names().flatMap((name) => [`${name} ok`, `${name} fail`]);
    return [...this.#clock.nextStep(), 'pause 40', ...answers, ...Object.keys(events)];
  }

  apply(step: string): void {
    this.#stage.effects = this.#effects;
    const [word = '', what = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(what));
    const event = events[word];
    if (event) return this.#actor.send(event);
    if (what === 'ok') return this.#effects.succeed(word, undefined);
    this.#effects.fail(word, `no ${word}`);
  }

  /** Commands flow while it is ready, and only then. */
  take(): string[] {
    return [
      ...this.#records.splice(0),
      this.#actor.getSnapshot().matches('ready') ? 'commands flow' : 'no commands',
    ];
  }

  key(): string {
    const { value, context, status } = this.#actor.getSnapshot();
    const { failures, isWanted } = context;
    return JSON.stringify([status, value, Math.min(failures, 4), isWanted, timerNames(this.#actor)]);
  }

  end(): void {
    this.#stage.effects = this.#effects;
    this.#actor.stop();
  }
}

/** */
class ConnectionReference implements Reference {
  readonly #deadlines = new Deadlines(0);
  #records: string[] = [];
  #step: 'none' | 'open' | 'verify' | 'ready' | 'waiting' | 'ended' = 'none';
  #failures = 0;
  #isAwaited = false;

  apply(step: string): void {
    const [word = '', what = ''] = step.split(' ');
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#deadlines.pass(Number(what));
      case 'wanted':
        if (this.#step === 'none') this.#open();
        else if (this.#step === 'waiting') this.#isAwaited = true;
        return;
      case 'lost':
        if (this.#step !== 'ready') return;
        this.#step = 'none';
        return this.#say('hang up');
      case 'close':
        return this.#close();
      default:
        return what === 'ok' ? this.#succeeded() : this.#failed(word);
    }
  }

  take(): string[] {
    return [...this.#records.splice(0), this.#step === 'ready' ? 'commands flow' : 'no commands'];
  }

  #say(record: string): void {
    this.#records.push(record);
  }

  #open(): void {
    this.#step = 'open';
    this.#say('> open');
  }

  #succeeded(): void {
    if (this.#step === 'open') {
      this.#step = 'verify';
      this.#say('tells connection.established');
      return this.#say('> verify');
    }
    this.#step = 'ready';
    this.#failures = 0;
    this.#say('tells connection.ready');
  }

  #failed(step: string): void {
    this.#step = 'waiting';
    this.#isAwaited = false;
    this.#say('hang up');
    this.#say(`tells connection.failed no ${step}`);
    const backOffMs = Math.min(longestBackOffMs, firstBackOffMs * 2 ** this.#failures++);
    this.#deadlines.set('back off', backOffMs, () => {
      if (this.#isAwaited) this.#open();
      else this.#step = 'none';
    });
  }

  #close(): void {
    if (this.#step === 'open' || this.#step === 'verify') this.#say(`x ${this.#step}`);
    this.#deadlines.clearAll();
    this.#step = 'ended';
    this.#say('hang up');
  }
}

export const connectionSubject: Subject = {
  name: 'connection',
  machine: connectionMachine,
  pairRules: { ignored: [], impossible: [] },
  scenarios: [{ name: 'all', options: undefined, steps: /./ }],
  world: (_, build) => new ConnectionWorld(build),
  reference: () => new ConnectionReference(),
};
