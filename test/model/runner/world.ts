import { createActor, fromTransition, type ActorRefFrom, type AnyActorRef } from 'xstate';
import { runnerMachine } from '../../../src/machines/runner.js';
import type {
  RunnerEvent,
  RunnerInput,
  RunnerOutput,
  RunnerReport,
} from '../../../src/machines/runner-setup.js';
import type { ContainerOnInstance } from '../../../src/machines/worker-effects.js';
import { buildMachine, Effects, oncePerBuild, scripted, type Stage } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, World } from '../exploring/world.js';
import { settingsOf } from '../worker/settings.js';

export interface RunnerOptions {
  origin: RunnerInput['origin'];
  collects: boolean;
}

const failure = { ok: false, code: 'exit', message: 'no', stdout: '', stderr: '', expected: true };
const events: Readonly<Record<string, RunnerEvent>> = {
  listed: { type: 'process.listed' },
  missing: { type: 'process.missing' },
  ended: { type: 'process.ended' },
  kill: { type: 'kill' },
};

const machineOf = oncePerBuild((build) => {
  const stage = {} as Stage;
  const effect = (name: string) => scripted<ContainerOnInstance>(stage, () => name);
  const machine = buildMachine(build, 'runner', runnerMachine, {
    startContainer: effect('start'),
    killContainer: effect('term'),
    collectResult: effect('collect'),
  });
  return { stage, machine };
});

/** One container's actor under a parent that only listens. */
export class RunnerModelWorld implements World {
  readonly #clock = new ModelClock(0);
  readonly #effects = new Effects((record) => void this.#records.push(record));
  readonly #stage: Stage;
  readonly #parent: AnyActorRef;
  readonly #actor: ActorRefFrom<typeof runnerMachine>;
  #records: string[] = [];

  constructor({ origin, collects }: RunnerOptions, build: Build) {
    const { stage, machine } = machineOf(build);
    this.#stage = stage;
    stage.effects = this.#effects;
    const parent = fromTransition((_, event: RunnerReport | { type: string; output?: RunnerOutput }) => {
      this.#records.push(describeReport(event));
      return undefined;
    }, undefined);
    this.#parent = createActor(parent, { clock: this.#clock }).start();
    const { runnerTimings: timings } = settingsOf({ collects });
    this.#actor = createActor(machine, {
      parent: this.#parent,
      id: 'c1',
      input: { instanceId: 'i-1', uuid: 'c1', origin, collects, timings },
    });
    this.#actor.start();
  }

  options(): string[] {
    if (this.#actor.getSnapshot().status !== 'active') return [];
    const answers = this.#effects
      .names()
      .flatMap((name) =>
        ['ok', 'fail', 'fault', ...(name === 'start' ? ['refused'] : [])].map((each) => `${name} ${each}`),
      );
    return [...this.#clock.nextStep(), 'pause 100', ...answers, ...Object.keys(events)];
  }

  apply(step: string): void {
    this.#stage.effects = this.#effects;
    const [word = '', what = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(what));
    const event = events[word];
    if (event) return this.#actor.send(event);
    if (what === 'fault') return this.#effects.fail(word, new Error('a bug of ours'));
    if (what === 'refused') return this.#effects.succeed(word, { ...failure, ranNothing: true });
    this.#effects.succeed(word, what === 'ok' ? { ok: true } : failure);
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  key(): string {
    const { value, status } = this.#actor.getSnapshot();
    return JSON.stringify([
      status,
      value,
      this.#effects.names(),
      timerNames(this.#actor),
      this.#clock.waits(2_000),
    ]);
  }

  end(): void {
    this.#stage.effects = this.#effects;
    // Its parent would stop it; a child cannot be stopped from outside.
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send({ type: 'xstate.stop' } as never);
    this.#parent.stop();
  }
}

function describeReport(event: RunnerReport | { type: string; output?: RunnerOutput }): string {
  if ('output' in event && event.output) return `over ${event.output.ending}`;
  if (event.type === 'runner.startReturned' && 'outcome' in event)
    return `tells ${event.type} ${event.outcome.ok}`;
  return `tells ${event.type}`;
}
