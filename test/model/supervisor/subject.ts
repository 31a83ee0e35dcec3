import { supervisorMachine } from '../../../src/machines/supervisor.js';
import { Deadlines } from '../exploring/deadlines.js';
import type { Reference, Subject } from '../exploring/world.js';
import { LaunchReference } from '../launch/launch-reference.js';
import { intervals, SupervisorWorld } from './world.js';

const { syncIntervalMs, hastySyncIntervalMs, replaceDelayMs } = intervals;

/** L-20 to L-26, and one create call beside another. */
class SupervisorReference implements Reference {
  readonly #deadlines = new Deadlines(0);
  readonly #launches = new Map<string, LaunchReference>();
  #records: string[] = [];
  #isLoaded = false;
  #isAsking = false;
  #isStopped = false;
  #hasNews = false;
  #heldUntil = 0;
  #replacements = 0;

  constructor() {
    this.#ask();
  }

  apply(step: string): void {
    const [word = '', what = '', answer = ''] = step.split(' ');
    if (this.#isStopped) return;
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#deadlines.pass(Number(what));
      case 'news':
        this.#hasNews = !this.#hasNews;
        return;
      case 'held':
        this.#heldUntil = this.#deadlines.now + Number(what);
        return;
      case 'list':
        return this.#listed(what);
      case 'launch':
        return this.#launch();
      case 'wanted':
        if (this.#isLoaded && !this.#isAsking && this.#holdMs() === 0) this.#ask();
        return;
      case 'broke':
        return this.#deadlines.set(`replace ${this.#replacements++}`, replaceDelayMs, () =>
          this.#say(`replace ${what}`),
        );
      case 'stop':
        return this.#stop();
      default:
        this.#launches.get(what)?.answered(answer);
    }
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  #say(record: string): void {
    this.#records.push(record);
  }

  #holdMs(): number {
    return Math.max(0, this.#heldUntil - this.#deadlines.now);
  }

  #ask(): void {
    this.#deadlines.clear('sync', 'beat');
    this.#isAsking = true;
    this.#say('begin list');
    this.#say('> list');
  }

  #listed(answer: string): void {
    this.#isAsking = false;
    if (answer === 'ok') {
      this.#isLoaded = true;
      this.#say('reconcile 0');
    } else if (answer === 'no') this.#say('list failed rate-limited: too fast');
    else this.#say('list failed unavailable: Error: a bug of ours');
    if (this.#isLoaded)
      this.#deadlines.set('sync', Math.max(syncIntervalMs, this.#holdMs()), () => this.#ask());
    this.#beat();
  }

  /** L-20: while the provider does not want to be asked, it is not. */
  #beat(): void {
    this.#deadlines.set('beat', hastySyncIntervalMs, () => {
      const isDue = this.#isLoaded ? this.#hasNews : true;
      if (isDue && this.#holdMs() === 0) this.#ask();
      else this.#beat();
    });
  }

  #launch(): void {
    const id = `launch-${this.#launches.size + 1}`;
    const over = (outcome: string): void => this.#say(`${id} ${outcome}`);
    this.#launches.set(id, new LaunchReference(id, (record) => this.#say(record), over));
  }

  #stop(): void {
    if (this.#isAsking) this.#say('x list');
    for (const launch of this.#launches.values()) launch.stop();
    this.#deadlines.clearAll();
    this.#isStopped = true;
  }
}

export const supervisorSubject: Subject = {
  name: 'supervisor',
  machine: supervisorMachine,
  pairRules: { ignored: [], impossible: [] },
  scenarios: [
    { name: 'lists', options: undefined, steps: /^(pass|list|wanted|news|held|broke|stop)/ },
    {
      name: 'launches',
      options: undefined,
      prefix: ['list ok'],
      steps: /^(launch|record|create|settle|stop)/,
    },
    { name: 'nothing new', options: undefined, prefix: ['list ok'], steps: /^(pass|list (ok|no))/ },
    {
      name: 'launches during a list',
      options: undefined,
      prefix: ['launch', 'record launch-1 ok'],
      steps: /^(create|settle|list|stop)/,
    },
    {
      name: 'launches during a later list',
      options: undefined,
      prefix: ['list ok', 'launch', 'record launch-1 ok', 'wanted'],
      steps: /^(create|settle|list|stop)/,
    },
    { name: 'all', options: undefined, steps: /./ },
  ],
  world: (_, build) => new SupervisorWorld(build),
  reference: () => new SupervisorReference(),
};
