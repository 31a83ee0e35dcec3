import { runnerMachine } from '../../../src/machines/runner.js';
import { Deadlines } from '../exploring/deadlines.js';
import type { Reference, Subject } from '../exploring/world.js';
import {
  ContainerReference,
  startAnswerOf,
  type ContainerHost,
  type StartAnswer,
} from '../worker/container-reference.js';
import { RunnerModelWorld, type RunnerOptions } from './world.js';

/** The same account of a container that the worker's reference uses, with the reports written down. */
class RunnerReference implements Reference, ContainerHost {
  readonly deadlines = new Deadlines(0);
  readonly collects: boolean;
  readonly #container: ContainerReference;
  #records: string[] = [];

  constructor({ origin, collects }: RunnerOptions) {
    this.collects = collects;
    this.#container = new ContainerReference('', origin, this);
  }

  apply(step: string): void {
    const [word = '', what = ''] = step.split(' ');
    const container = this.#container;
    switch (word) {
      case 'pass':
      case 'pause':
        return this.deadlines.pass(Number(what));
      case 'listed':
        return container.seen();
      case 'missing':
        return container.missing();
      case 'ended':
        return container.ended();
      case 'kill':
        return container.kill();
      case 'start':
        return container.startAnswered(startAnswerOf(what));
      case 'term':
        return container.termAnswered(what === 'ok');
      default:
        return container.collectAnswered(what === 'ok');
    }
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  say(record: string): void {
    this.#records.push(record.trim());
  }

  startReturned(_: string, answer: StartAnswer): void {
    this.say(`tells runner.startReturned ${answer === 'ok'}`);
  }

  ending(): void {
    this.say('tells runner.ending');
  }

  gaveUp(): void {
    this.say('tells runner.gaveUp');
  }

  over(_: string, ending: string): void {
    this.say(`over ${ending}`);
  }
}

/** One container on one instance, as its actor alone. */
export const runnerSubject: Subject<RunnerOptions> = {
  name: 'runner',
  machine: runnerMachine,
  pairRules: {
    ignored: [],
    impossible: [
      {
        states: /alive\.stop\.terminating\.beating\.leaving/,
        events: /.*/,
        because: 'the process is over in the same step, and with it the wish to stop it',
      },
      {
        states: /alive\.stop\.terminating\.beating\.confirmed/,
        events: /after termTimeout/,
        because: 'the next beat comes first',
      },
    ],
  },
  scenarios: [
    ...(['assigned', 'listed', 'ended'] as const).flatMap((origin) =>
      [true, false].map((collects) => ({
        name: `${origin}, ${collects ? 'result to be collected' : 'no result'}`,
        options: { origin, collects },
        steps: /./,
      })),
    ),
    {
      name: 'a result that cannot be had, at the end of its time',
      options: { origin: 'ended', collects: true },
      prefix: [...Array.from({ length: 9 }, () => ['collect fail', 'pass 2030']).flat(), 'collect fail'],
      steps: /./,
    },
  ],
  world: (options, build) => new RunnerModelWorld(options, build),
  reference: (options) => new RunnerReference(options),
};
