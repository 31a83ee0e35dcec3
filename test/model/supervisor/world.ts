import { createActor, type ActorRefFrom } from 'xstate';
import type { ListOutcome } from '../../../src/machines/cloud-effects.js';
import { supervisorMachine, type Roster, type SupervisorEvent } from '../../../src/machines/supervisor.js';
import { buildMachine, Effects, oncePerBuild, scripted, type Stage } from '../exploring/effects.js';
import { ModelClock, timerNames } from '../exploring/model-clock.js';
import type { Build, World } from '../exploring/world.js';
import {
  answerLaunch,
  describeLaunch,
  launchAnswers,
  launchRequest,
  scriptedLaunch,
} from '../launch/launch-effects.js';

export const intervals = { syncIntervalMs: 20_000, hastySyncIntervalMs: 3_000, replaceDelayMs: 5_500 };

const machineOf = oncePerBuild((build) => {
  const stage = {} as Stage;
  const actors = { listInstances: scripted(stage, () => 'list'), launch: scriptedLaunch(build, stage) };
  return { stage, machine: buildMachine(build, 'supervisor', supervisorMachine, actors) };
});

/** The instance set as a whole, over a roster and a cloud that do as they are told. */
export class SupervisorWorld implements World {
  readonly #clock = new ModelClock(0);
  readonly #effects = new Effects((record) => void this.#records.push(record));
  readonly #stage: Stage;
  readonly #actor: ActorRefFrom<typeof supervisorMachine>;
  #records: string[] = [];
  #hasNews = false;
  #heldUntil = 0;
  #launches = 0;

  constructor(build: Build) {
    const { stage, machine } = machineOf(build);
    this.#stage = stage;
    stage.effects = this.#effects;
    this.#actor = createActor(machine, {
      clock: this.#clock,
      input: { roster: this.#roster(), ...intervals },
    });
    this.#actor.subscribe({ error: (error) => void this.#records.push(`broke ${String(error)}`) });
    this.#actor.start();
  }

  options(): string[] {
    if (this.#actor.getSnapshot().status !== 'active') return [];
    const lists = this.#effects.has('list') ? ['list ok', 'list no', 'list fault'] : [];
    const launches = this.#launches < 2 ? ['launch'] : [];
    return [
      ...this.#clock.nextStep(),
      'pause 700',
      ...lists,
      ...launchAnswers(this.#effects),
      ...launches,
      'wanted',
      'news',
      'held 7000',
      'held 40000',
      'broke w1',
      'stop',
    ];
  }

  apply(step: string): void {
    this.#stage.effects = this.#effects;
    const [word = '', what = '', answer = ''] = step.split(' ');
    switch (word) {
      case 'pass':
      case 'pause':
        return this.#clock.pass(Number(what));
      case 'news':
        this.#hasNews = !this.#hasNews;
        return;
      case 'held':
        this.#heldUntil = this.#clock.now() + Number(what);
        return;
      case 'list':
        return this.#answerList(what);
      case 'launch':
        return this.#send({ type: 'launch.requested', ...launchRequest(`launch-${++this.#launches}`) });
      case 'wanted':
        return this.#send({ type: 'sync.wanted' });
      case 'broke':
        return this.#send({ type: 'worker.broke', instanceId: what });
      case 'stop':
        return this.#send({ type: 'stop' });
      default:
        answerLaunch(this.#effects, `${word} ${what}`, answer);
    }
  }

  take(): string[] {
    return this.#records.splice(0);
  }

  key(): string {
    const { value, children, status } = this.#actor.getSnapshot();
    const isHeld = this.#heldUntil > this.#clock.now();
    return JSON.stringify([
      status,
      value,
      Object.keys(children),
      this.#effects.names().sort(),
      [this.#hasNews, isHeld, this.#launches],
      timerNames(this.#actor),
      this.#clock.waits(1_000),
    ]);
  }

  end(): void {
    this.#stage.effects = this.#effects;
    this.#actor.stop();
  }

  #send(event: SupervisorEvent): void {
    this.#actor.send(event);
  }

  #answerList(answer: string): void {
    if (answer === 'fault') return this.#effects.fail('list', new Error('a bug of ours'));
    const outcome: ListOutcome =
      answer === 'ok'
        ? { ok: true, instances: [] }
        : { ok: false, error: { code: 'rate-limited', message: 'too fast' } };
    this.#effects.succeed('list', outcome);
  }

  #roster(): Roster {
    const note = (record: string): void => void this.#records.push(record);
    return {
      beginList: () => note('begin list'),
      reconcile: (instances) => note(`reconcile ${instances.length}`),
      listFailed: ({ code, message }) => note(`list failed ${code}: ${message}`),
      settleLaunch: (output) => note(`${output.launchId} ${describeLaunch(output)}`),
      launchBroke: (launchId) => note(`${launchId} broke`),
      replace: (instanceId) => note(`replace ${instanceId}`),
      awaitsNews: () => this.#hasNews,
      listHoldMs: () => Math.max(0, this.#heldUntil - this.#clock.now()),
    };
  }
}
