import { createActor, type ActorRefFrom } from 'xstate';
import { holdOffMachine, type HoldOffEvent } from '../../../src/machines/hold-off.js';
import { Deadlines } from '../exploring/deadlines.js';
import { buildMachine, oncePerBuild } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, Reference, Subject, World } from '../exploring/world.js';

const trialTimeoutMs = 5_000;
const machineOf = oncePerBuild((build) => buildMachine(build, 'hold-off', holdOffMachine, {}));

/** A breaker, and what those who ask it learn: whether to ask the provider, and why not. */
class HoldOffWorld implements World {
  readonly #clock = new ModelClock(0);
  readonly #actor: ActorRefFrom<typeof holdOffMachine>;
  #records: string[] = [];

  constructor(build: Build) {
    this.#actor = createActor(machineOf(build), { clock: this.#clock, input: { trialTimeoutMs } });
    this.#actor.on('holdOff.opened', () => void this.#records.push('told to look again'));
    this.#actor.subscribe({ error: (error) => void this.#records.push(`broke ${String(error)}`) });
    this.#actor.start();
  }

  options(): string[] {
    const events = ['refused 3000 quota', 'refused 8000 pace', 'tried', 'succeeded', 'abandoned', 'reset'];
    return [...this.#clock.nextStep(), 'pause 100', ...events];
  }

  apply(step: string): void {
    const [word = '', ms, because = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(ms));
    if (word === 'refused') return this.#actor.send({ type: 'refused', forMs: Number(ms), because });
    this.#actor.send({ type: word } as HoldOffEvent);
  }

  take(): string[] {
    const { value, context } = this.#actor.getSnapshot();
    const answer =
      value === 'open' ? 'ask' : value === 'halfOpen' ? 'ask once' : `do not ask: ${context.because}`;
    return [...this.#records.splice(0), answer];
  }

  key(): string {
    const { value, context } = this.#actor.getSnapshot();
    return JSON.stringify([value, context.because, timerNames(this.#actor), this.#clock.waits(2_500)]);
  }

  end(): void {
    this.#actor.stop();
  }
}

/** L-15, L-19, K-10: after a refusal nothing for a time, then one request decides. */
class HoldOffReference implements Reference {
  readonly #deadlines = new Deadlines(0);
  #records: string[] = [];
  #may: 'ask' | 'ask once' | 'no' = 'ask';
  #isTrying = false;
  #because = '';

  apply(step: string): void {
    const [word = '', ms, because = ''] = step.split(' ');
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#deadlines.pass(Number(ms));
      case 'refused':
        this.#isTrying = false;
        this.#may = 'no';
        this.#because = because;
        return this.#deadlines.set('wait', Number(ms), () => this.#open('ask once'));
      case 'tried':
        if (this.#may !== 'ask once') return;
        this.#may = 'no';
        this.#isTrying = true;
        return this.#deadlines.set('wait', trialTimeoutMs, () => this.#open('ask'));
      case 'succeeded':
        if (this.#isTrying) this.#open('ask');
        else if (this.#may === 'ask once') this.#may = 'ask';
        return;
      case 'abandoned':
        if (this.#isTrying) this.#open('ask once');
        return;
      default:
        if (this.#may === 'no') this.#open('ask');
        this.#may = 'ask';
    }
  }

  take(): string[] {
    const answer = this.#may === 'no' ? `do not ask: ${this.#because}` : this.#may;
    return [...this.#records.splice(0), answer];
  }

  #open(may: 'ask' | 'ask once'): void {
    this.#may = may;
    this.#isTrying = false;
    this.#deadlines.clear('wait');
    this.#records.push('told to look again');
  }
}

export const holdOffSubject: Subject = {
  name: 'hold-off',
  machine: holdOffMachine,
  pairRules: { ignored: [], impossible: [] },
  scenarios: [{ name: 'all', options: undefined, steps: /./ }],
  world: (_, build) => new HoldOffWorld(build),
  reference: () => new HoldOffReference(),
};
