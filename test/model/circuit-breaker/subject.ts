import { createActor, type ActorRefFrom } from 'xstate';
import { circuitBreakerMachine, type CircuitBreakerEvent } from '../../../src/machines/circuit-breaker.js';
import { Deadlines } from '../exploring/deadlines.js';
import { buildMachine, oncePerBuild } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, Reference, Subject, World } from '../exploring/world.js';

const trialTimeoutMs = 5_000;
const longestQuotaMs = 7_000;
/** Failures beyond this are not told apart. */
const countedFailures = 3;
/** Two that overlap; either may be the trial. */
const calls = ['a', 'b'];
const machineOf = oncePerBuild((build) => buildMachine(build, 'circuit-breaker', circuitBreakerMachine, {}));

/** A breaker, and what its callers learn: whether a call may start, and why not. */
class BreakerWorld implements World {
  readonly #clock = new ModelClock(0);
  readonly #actor: ActorRefFrom<typeof circuitBreakerMachine>;
  #records: string[] = [];

  constructor(build: Build, failuresToOpen: number) {
    const input = { failuresToOpen, trialTimeoutMs };
    this.#actor = createActor(machineOf(build), { clock: this.#clock, input });
    this.#actor.on('breaker.closed', () => void this.#records.push('may pass again'));
    this.#actor.subscribe({ error: (error) => void this.#records.push(`broke ${String(error)}`) });
    this.#actor.start();
  }

  options(): string[] {
    const ofCalls = calls.flatMap((call) => [
      `started ${call}`,
      `succeeded ${call}`,
      `abandoned ${call}`,
      `failed ${call} 3000 quota`,
      `failed ${call} 8000 pace`,
    ]);
    return [...this.#clock.nextStep(), 'pause 100', ...ofCalls, 'eased', 'reset'];
  }

  apply(step: string): void {
    const [word = '', call = '', ms, reason = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(call));
    if (word === 'failed') return this.#fail(call, Number(ms), reason);
    this.#actor.send({ type: word, call } as CircuitBreakerEvent);
  }

  take(): string[] {
    const { value, context } = this.#actor.getSnapshot();
    const { failures, reason } = context;
    const held = `held: ${Math.min(countedFailures, failures)} ${reason}`;
    const answer = value === 'closed' ? 'pass' : value === 'halfOpen' ? 'one trial' : held;
    return [...this.#records.splice(0), answer];
  }

  key(): string {
    const { value, context } = this.#actor.getSnapshot();
    const { reason, trial, failures, failedTrials } = context;
    const decider = value === 'probing' ? trial : '';
    const waits = this.#clock.waits(2_500);
    const counts = [Math.min(countedFailures, failures), Math.min(2, failedTrials)];
    return JSON.stringify([value, reason, decider, ...counts, timerNames(this.#actor), waits]);
  }

  #fail(call: string, forMs: number, reason: string): void {
    const doubling = reason === 'quota' ? { longestMs: longestQuotaMs } : {};
    this.#actor.send({ type: 'failed', call, forMs, reason, ...doubling });
  }

  end(): void {
    this.#actor.stop();
  }
}

/**
 * L-15, L-19, K-10: after so many failures in a row no call for a time, then one trial decides, whatever is answered
 * meanwhile to calls that started before.
 */
class BreakerReference implements Reference {
  readonly #deadlines = new Deadlines(0);
  readonly #failuresToOpen: number;
  #records: string[] = [];
  #may: 'pass' | 'one trial' | 'no' = 'pass';
  #trial = '';
  #failures = 0;
  #failedTrials = 0;
  #reason = '';

  constructor(failuresToOpen: number) {
    this.#failuresToOpen = failuresToOpen;
  }

  apply(step: string): void {
    const [word = '', call = '', ms, reason = ''] = step.split(' ');
    const isTrial = this.#trial !== '' && this.#trial === call;
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#deadlines.pass(Number(call));
      case 'failed':
        return this.#failed(isTrial, Number(ms), reason);
      case 'started':
        if (this.#may !== 'one trial') return;
        this.#may = 'no';
        this.#trial = call;
        return this.#deadlines.set('wait', trialTimeoutMs, () => this.#allow('one trial'));
      case 'succeeded':
        if (this.#may === 'pass') this.#failures = 0;
        return isTrial ? this.#allow('pass') : undefined;
      case 'abandoned':
        return isTrial ? this.#allow('one trial') : undefined;
      case 'eased':
        return this.#may === 'no' && this.#trial === '' ? this.#allow('one trial') : undefined;
      default:
        if (this.#may === 'no') this.#allow('pass');
        this.#may = 'pass';
        this.#failures = 0;
        this.#failedTrials = 0;
    }
  }

  take(): string[] {
    const held = `held: ${Math.min(countedFailures, this.#failures)} ${this.#reason}`;
    return [...this.#records.splice(0), this.#may === 'no' ? held : this.#may];
  }

  #failed(isTrial: boolean, ms: number, reason: string): void {
    this.#failures++;
    if (this.#may === 'pass' && (this.#failuresToOpen === 0 || this.#failures < this.#failuresToOpen)) return;
    this.#reason = reason;
    if (this.#trial !== '' && !isTrial) return;
    if (isTrial) this.#failedTrials++;
    this.#trial = '';
    this.#may = 'no';
    const doubled = Math.min(longestQuotaMs, ms * 2 ** this.#failedTrials);
    const waitMs = reason === 'quota' ? doubled : ms;
    this.#deadlines.set('wait', waitMs, () => this.#allow('one trial'));
  }

  #allow(may: 'pass' | 'one trial'): void {
    this.#may = may;
    this.#trial = '';
    if (may === 'pass') {
      this.#failures = 0;
      this.#failedTrials = 0;
    }
    this.#deadlines.clear('wait');
    this.#records.push('may pass again');
  }
}

export const circuitBreakerSubject: Subject<number> = {
  name: 'circuit-breaker',
  machine: circuitBreakerMachine,
  pairRules: { ignored: [], impossible: [] },
  scenarios: [
    { name: 'opens at the first failure', options: 1, steps: /./ },
    { name: 'opens at the second failure', options: 2, steps: /./ },
    { name: 'never opens', options: 0, steps: /./ },
  ],
  world: (failuresToOpen, build) => new BreakerWorld(build, failuresToOpen),
  reference: (failuresToOpen) => new BreakerReference(failuresToOpen),
};
