import { createActor, fromTransition, type ActorRefFrom, type AnyActorRef } from 'xstate';
import { launchMachine, type LaunchOutput } from '../../../src/machines/launch.js';
import { Effects, oncePerBuild, type Stage } from '../exploring/effects.js';
import type { Build, Reference, Subject, World } from '../exploring/world.js';
import {
  answerLaunch,
  describeLaunch,
  launchAnswers,
  launchRequest,
  scriptedLaunch,
} from './launch-effects.js';
import { LaunchReference } from './launch-reference.js';

const machineOf = oncePerBuild((build) => {
  const stage = {} as Stage;
  return { stage, machine: scriptedLaunch(build, stage) };
});

/** One create call under a parent that only listens. */
class LaunchWorld implements World {
  readonly #effects = new Effects((record) => void this.#records.push(record));
  readonly #stage: Stage;
  readonly #parent: AnyActorRef;
  readonly #actor: ActorRefFrom<typeof launchMachine>;
  #records: string[] = [];

  constructor(build: Build) {
    const { stage, machine } = machineOf(build);
    this.#stage = stage;
    stage.effects = this.#effects;
    const hear = fromTransition((_, event: { type: string; output?: LaunchOutput }) => {
      this.#records.push(event.output ? `over ${describeLaunch(event.output)}` : 'over broke');
      return undefined;
    }, undefined);
    this.#parent = createActor(hear).start();
    this.#actor = createActor(machine, { parent: this.#parent, id: 'l1', input: launchRequest('l1') });
    this.#actor.start();
  }

  options(): string[] {
    return launchAnswers(this.#effects);
  }

  apply(step: string): void {
    this.#stage.effects = this.#effects;
    const [word = '', id = '', answer = ''] = step.split(' ');
    answerLaunch(this.#effects, `${word} ${id}`, answer);
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  key(): string {
    const { value, context, status } = this.#actor.getSnapshot();
    return JSON.stringify([status, value, context.outcome]);
  }

  end(): void {
    this.#stage.effects = this.#effects;
    // Its parent would stop it; a child cannot be stopped from outside.
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send({ type: 'xstate.stop' });
    this.#parent.stop();
  }
}

class OneLaunchReference implements Reference {
  readonly #records: string[] = [];
  readonly #launch = new LaunchReference(
    'l1',
    (record) => void this.#records.push(record),
    (outcome) => void this.#records.push(`over ${outcome}`),
  );

  apply(step: string): void {
    this.#launch.answered(step.split(' ')[2] ?? '');
  }

  take(): string[] {
    return this.#records.splice(0);
  }
}

export const launchSubject: Subject = {
  name: 'launch',
  machine: launchMachine,
  pairRules: { ignored: [], impossible: [] },
  scenarios: [{ name: 'all', options: undefined, steps: /./ }],
  world: (_, build) => new LaunchWorld(build),
  reference: () => new OneLaunchReference(),
};
