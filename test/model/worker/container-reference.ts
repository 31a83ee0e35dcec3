import type { RunnerEnding } from '../../../src/machines/runner-setup.js';
import type { Deadlines } from '../exploring/deadlines.js';

/** Whom a container's account tells what became of it. */
export interface ContainerHost {
  readonly deadlines: Deadlines;
  readonly collects: boolean;
  say(record: string): void;
  startReturned(name: string, answer: StartAnswer): void;
  ending(name: string): void;
  gaveUp(name: string): void;
  over(name: string, ending: RunnerEnding): void;
}

/** What a start command came back with. `refused`: it is certain that nothing ran. */
export type StartAnswer = 'ok' | 'fail' | 'refused';

export function startAnswerOf(word: string): StartAnswer {
  return word === 'ok' || word === 'refused' ? word : 'fail';
}

const signalIntervalMs = 7_020;
const termTimeoutMs = 30_010;
const collectRetryMs = 2_030;
const collectTimeoutMs = 20_040;

/** What must be done for one container on an instance (pool section 5), told in commands. */
export class ContainerReference {
  readonly #name: string;
  readonly #host: ContainerHost;
  #process: 'starting' | 'running' | 'collecting' | 'over' = 'running';
  #wasSeen = false;
  #endedEarly = false;
  #isAsking = false;
  #stopping: 'no' | 'terminating' | 'unkillable' = 'no';
  #termIsOut = false;
  /** A TERM found the process gone while its start command had not returned. */
  #foundGone = false;

  constructor(name: string, origin: 'assigned' | 'listed' | 'ended', host: ContainerHost) {
    this.#name = name;
    this.#host = host;
    if (origin === 'assigned') {
      this.#process = 'starting';
      host.say(`> start ${name}`);
    }
    if (origin === 'ended') this.#collect();
  }

  startAnswered(answer: StartAnswer): void {
    this.#process = 'running';
    this.#host.startReturned(this.#name, answer);
    if (answer === 'refused') return this.#end('refused');
    if (this.#endedEarly) return this.#collect();
    if (this.#foundGone) this.#gone();
  }

  /** K-13. A process that ended needs no signal. */
  kill(): void {
    if (this.#process === 'collecting' || this.#stopping === 'terminating') return;
    this.#stopping = 'terminating';
    this.#host.deadlines.set(this.#timer('term'), termTimeoutMs, () => this.#giveUp());
    this.#beat();
  }

  termAnswered(ok: boolean): void {
    this.#termIsOut = false;
    if (!ok) return;
    if (this.#process === 'running') this.#gone();
    else this.#foundGone = true;
  }

  collectAnswered(ok: boolean): void {
    this.#isAsking = false;
    if (ok) return this.#end('collected');
    this.#host.deadlines.set(this.#timer('retry'), collectRetryMs, () => this.#ask());
  }

  /** Somebody saw the process alive. */
  seen(): void {
    this.#wasSeen = true;
  }

  /** Somebody saw that it ended. */
  ended(): void {
    if (this.#process === 'starting') this.#endedEarly = true;
    else if (this.#process === 'running') this.#collect();
  }

  /** A probe does not list it (P-18, R-7). */
  missing(): void {
    const isKnown = this.#process === 'running' || (this.#process === 'starting' && this.#wasSeen);
    if (isKnown && !this.#endedEarly) this.#end('missing');
  }

  /** A bug of ours ended its actor while it looked at this answer: the container counts as lost. */
  breakDown(answer: string): void {
    if (answer === 'term') this.#termIsOut = false;
    if (answer === 'collect') this.#isAsking = false;
    this.#end('lost');
  }

  /** Cuts off all that is under way. */
  stop(): void {
    const { deadlines } = this.#host;
    deadlines.clear(...['term', 'beat', 'retry', 'collect'].map((each) => this.#timer(each)));
    if (this.#process === 'starting') this.#host.say(`x start ${this.#name}`);
    if (this.#termIsOut) this.#host.say(`x term ${this.#name}`);
    if (this.#isAsking) this.#host.say(`x collect ${this.#name}`);
    this.#process = 'over';
    this.#termIsOut = false;
    this.#isAsking = false;
  }

  #gone(): void {
    if (this.#host.collects) this.#collect();
    else this.#end('killed');
  }

  #beat(): void {
    this.#cutTerm();
    this.#foundGone = false;
    this.#termIsOut = true;
    this.#host.say(`> term ${this.#name}`);
    this.#host.deadlines.set(this.#timer('beat'), signalIntervalMs, () => this.#beat());
  }

  #giveUp(): void {
    this.#stopping = 'unkillable';
    this.#foundGone = false;
    this.#cutTerm();
    this.#host.deadlines.clear(this.#timer('beat'));
    this.#host.gaveUp(this.#name);
  }

  #cutTerm(): void {
    if (this.#termIsOut) this.#host.say(`x term ${this.#name}`);
    this.#termIsOut = false;
  }

  /** The result is worth more than any signal: none is sent any more. */
  #collect(): void {
    this.#process = 'collecting';
    this.#cutTerm();
    this.#stopping = 'no';
    this.#host.deadlines.clear(this.#timer('term'), this.#timer('beat'));
    this.#host.deadlines.set(this.#timer('collect'), collectTimeoutMs, () => {
      this.#host.gaveUp(this.#name);
      this.#end('lost');
    });
    this.#host.ending(this.#name);
    this.#ask();
  }

  #ask(): void {
    this.#isAsking = true;
    this.#host.say(`> collect ${this.#name}`);
  }

  #end(ending: RunnerEnding): void {
    this.stop();
    this.#host.over(this.#name, ending);
  }

  #timer(what: string): string {
    return `${what} ${this.#name}`;
  }
}
