import { createActor, type ActorRefFrom } from 'xstate';
import { holdOffMachine, type HoldOffEvent } from '../../../src/machines/hold-off.js';
import { Deadlines } from '../exploring/deadlines.js';
import { buildMachine, oncePerBuild } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, Reference, Subject, World } from '../exploring/world.js';

const trialTimeoutMs = 5_000;
const longestQuotaMs = 7_000;
/** Two that overlap; either may be the trial. */
const calls = ['a', 'b'];
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
    const ofCalls = calls.flatMap((call) => [
      `tried ${call}`,
      `succeeded ${call}`,
      `abandoned ${call}`,
      `refused ${call} 3000 quota`,
      `refused ${call} 8000 pace`,
    ]);
    return [...this.#clock.nextStep(), 'pause 100', ...ofCalls, 'eased', 'reset'];
  }

  apply(step: string): void {
    const [word = '', call = '', ms, because = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(call));
    if (word === 'refused') return this.#refuse(call, Number(ms), because);
    this.#actor.send({ type: word, call } as HoldOffEvent);
  }

  take(): string[] {
    const { value, context } = this.#actor.getSnapshot();
    const answer =
      value === 'open' ? 'ask' : value === 'halfOpen' ? 'ask once' : `do not ask: ${context.because}`;
    return [...this.#records.splice(0), answer];
  }

  key(): string {
    const { value, context } = this.#actor.getSnapshot();
    const { because, trial, refusedTrials } = context;
    const decider = value === 'trying' ? trial : '';
    const waits = this.#clock.waits(2_500);
    return JSON.stringify([
      value,
      because,
      decider,
      Math.min(2, refusedTrials),
      timerNames(this.#actor),
      waits,
    ]);
  }

  #refuse(call: string, forMs: number, because: string): void {
    const doubling = because === 'quota' ? { longestMs: longestQuotaMs } : {};
    this.#actor.send({ type: 'refused', call, forMs, because, ...doubling });
  }

  end(): void {
    this.#actor.stop();
  }
}

/**
 * L-15, L-19, K-10: after a refusal nothing for a time, then one request decides, whatever is answered meanwhile to
 * those that were begun before.
 */
class HoldOffReference implements Reference {
  readonly #deadlines = new Deadlines(0);
  #records: string[] = [];
  #may: 'ask' | 'ask once' | 'no' = 'ask';
  #trial = '';
  #refusedTrials = 0;
  #because = '';

  apply(step: string): void {
    const [word = '', call = '', ms, because = ''] = step.split(' ');
    const isTrial = this.#trial !== '' && this.#trial === call;
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#deadlines.pass(Number(call));
      case 'refused':
        return this.#refused(isTrial, Number(ms), because);
      case 'tried':
        if (this.#may !== 'ask once') return;
        this.#may = 'no';
        this.#trial = call;
        return this.#deadlines.set('wait', trialTimeoutMs, () => this.#open('ask once'));
      case 'succeeded':
        return isTrial ? this.#open('ask') : undefined;
      case 'abandoned':
        return isTrial ? this.#open('ask once') : undefined;
      case 'eased':
        return this.#may === 'no' && this.#trial === '' ? this.#open('ask once') : undefined;
      default:
        if (this.#may === 'no') this.#open('ask');
        this.#may = 'ask';
        this.#refusedTrials = 0;
    }
  }

  take(): string[] {
    const answer = this.#may === 'no' ? `do not ask: ${this.#because}` : this.#may;
    return [...this.#records.splice(0), answer];
  }

  #refused(isTrial: boolean, ms: number, because: string): void {
    this.#because = because;
    if (this.#trial !== '' && !isTrial) return;
    if (isTrial) this.#refusedTrials++;
    this.#trial = '';
    this.#may = 'no';
    const doubled = Math.min(longestQuotaMs, ms * 2 ** this.#refusedTrials);
    const waitMs = because === 'quota' ? doubled : ms;
    this.#deadlines.set('wait', waitMs, () => this.#open('ask once'));
  }

  #open(may: 'ask' | 'ask once'): void {
    this.#may = may;
    this.#trial = '';
    if (may === 'ask') this.#refusedTrials = 0;
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
