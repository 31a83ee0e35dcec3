import type { BootOutcome, BootStage, IdleBehavior } from '../../../src/domain/instance.js';
import type { RunnerEnding } from '../../../src/machines/runner-setup.js';
import { Deadlines } from '../exploring/deadlines.js';
import type { Reference } from '../exploring/world.js';
import {
  ContainerReference,
  startAnswerOf,
  type ContainerHost,
  type StartAnswer,
} from './container-reference.js';
import { failureText, faultText, settingsOf, type WorkerOptions } from './settings.js';
import { TagsReference } from './tags-reference.js';
import { refusal } from './words.js';

interface Known {
  phase: 'starting' | 'running' | 'collecting';
  gaveUp: boolean;
  queuedAt: number | undefined;
  actor: ContainerReference | undefined;
}

interface Heard {
  live: string[];
  stale: string[];
  ended: string[];
  isBroken: boolean;
  notice: string;
}

const operatorBecause = 'somebody wants it';
const gaveUpBecause = 'a container could not be stopped or collected';
const spotNotice = 'the spot market wants it back';

/**
 * What must leave the worker of one instance, from the pool's specification (sections 2 to 6): plain code with plain
 * fields, which shares nothing with the chart but the names people see.
 */
export class WorkerReference implements Reference, ContainerHost {
  readonly deadlines = new Deadlines(1_000_000);
  readonly collects: boolean;
  readonly #settings;
  readonly #expected: boolean;
  readonly #recorded: boolean;
  readonly #tags: TagsReference;
  readonly #containers = new Map<string, Known>();
  #records: string[] = [];
  #life: 'unknown' | 'orphaned' | 'booting' | 'idle' | 'running' | 'shutdown' | 'gone' = 'unknown';
  #stage: BootStage = 'requested';
  #isDestroying = false;
  #behavior: IdleBehavior;
  #behaviorBecause = '';
  #probe: 'resting' | 'boot' | 'copy' | 'run' | 'stopped' = 'resting';
  #watch: 'off' | 'open' | 'pausing' | 'over' = 'off';
  #address: string;
  #appearedAt = 1_000_000;
  #probedAt = 1_000_000;
  #busyAt = 1_000_000;
  #stageAt = 1_000_000;
  #verifiedAt: number | undefined;
  #shutdownAt: number | undefined;
  #shutdownBecause = '';
  #lastFailure = '';
  #hasAnswered = false;
  /** The runner program has to be put in place again. */
  #isSetupLost = false;
  #isDestroyConfirmed = false;
  #outcome: BootOutcome | undefined;
  #missed = 0;
  #missedSince = 0;
  #last = '';
  #changes = 0;
  #failedStarts = 0;
  #round = { startedAt: 1_000_000, changes: 0, bootFailed: false };
  #staleSince = new Map<string, number>();
  /** The wish was touched, so that what hangs on it is looked at again. */
  #wishTouched = false;

  constructor(options: WorkerOptions) {
    this.#settings = settingsOf(options);
    this.collects = options.collects;
    this.#expected = options.expected;
    this.#recorded = options.recorded ?? true;
    this.#address = options.hasAddress ? '10.0.0.1:22' : '';
    const { behaviorTag: tag } = options;
    this.#behavior = tag === 'hold' ? 'hold' : tag === 'drain' || !options.typeIsConfigured ? 'drain' : 'run';
    this.#tags = new TagsReference(
      tag,
      this.deadlines,
      (record) => this.say(record),
      () => this.#behavior,
    );
    this.say('connection add');
    this.say(`journal worker.appeared at ${this.deadlines.now}`);
    this.say('pool probe.rested');
    if (options.expected) {
      this.#life = 'booting';
      this.#enterStage('requested');
    } else this.#enterUnknown();
    this.#consequences();
  }

  take(): string[] {
    const records = this.#records;
    this.#records = [];
    return [...records, this.#view()];
  }

  say(record: string): void {
    this.#records.push(record);
  }

  apply(step: string): void {
    const [word = '', first = '', second = ''] = step.split(' ');
    if (word === 'pass' || word === 'pause') return this.deadlines.pass(Number(first));
    // What a container's actor makes of an answer reaches the worker as events of their own.
    if (second === 'poison') return this.#containers.get(first)?.actor?.breakDown(word);
    if (word === 'start' || word === 'term' || word === 'collect') return this.#take(word, first, second);
    this.#whoAsked =
      word === 'scheduler'
        ? 'the scheduler wants it gone: '
        : word === 'operator' && first === 'kill'
          ? 'an order came: '
          : '';
    this.#event(() => this.#take(word, first, second));
    this.#whoAsked = '';
  }

  #take(word: string, first: string, second: string): void {
    switch (word) {
      case 'listed':
        return this.#listed(first);
      case 'missing':
        return this.#notListed();
      case 'assign':
        return this.#assign(first);
      case 'kill':
        return this.#killContainer(first);
      case 'operator':
        return first === 'kill' ? this.#killInstance() : this.#order(first as IdleBehavior);
      case 'scheduler':
        if (first === 'keep') return this.#life === 'idle' ? this.#enterIdle() : undefined;
        if ((this.#life === 'booting' || this.#life === 'idle') && this.#behavior !== 'hold')
          this.#shutdown(operatorBecause, 'aborted');
        return;
      case 'due':
        return this.#beginRound();
      case 'established':
        if (this.#isBootingAt('addressed')) this.#enterStage('connected');
        return;
      case 'verified':
        if (this.#isBootingAt('addressed', 'connected')) this.#enterStage('verified');
        return;
      case 'boot':
      case 'copy':
        return this.#bootStep(word, first);
      case 'run':
        return this.#runProbed(first);
      case 'start':
        return this.#containers.get(first)?.actor?.startAnswered(startAnswerOf(second));
      case 'term':
        return this.#containers.get(first)?.actor?.termAnswered(second === 'ok');
      case 'collect':
        return this.#containers.get(first)?.actor?.collectAnswered(second === 'ok');
      case 'destroy':
        return this.#destroyAnswered(first === 'ok');
      case 'tags':
        return this.#tags.answered(first === 'ok');
      case 'watch':
        return this.#watchSaid(first, second);
      default:
        throw new Error(`the reference does not know "${word}"`);
    }
  }

  // The list, the operator, the scheduler.

  #listed(how: string): void {
    this.#missed = 0;
    this.say('connection update');
    if (how === 'address') this.#address = '10.0.0.1:22';
    this.#tags.listed(how === 'old-tags');
  }

  /** K-6: once is not enough, unless it was destroyed; an answer since the first time says that it is there. */
  #notListed(): void {
    const hasAnswered = this.#probedAt > this.#missedSince;
    this.#missed = hasAnswered ? 1 : this.#missed + 1;
    if (this.#missed === 1) this.#missedSince = this.deadlines.now;
    if (!this.#isDestroyConfirmed && this.#missed < 2) return;
    const state = this.#life === 'orphaned' ? 'unknown' : this.#life;
    const now = this.deadlines.now;
    this.say(`journal worker.transition ${this.#lifeName()}>gone at ${now}`);
    this.#life = 'gone';
    this.#decide('disappeared');
    this.#tags.stop();
    for (const { actor } of this.#containers.values()) actor?.stop();
    this.#stopVisiting();
    if (this.#isDestroying) this.say('x destroy');
    this.deadlines.clearAll();
    this.say('connection remove');
    this.say(`metric disappeared ${state}`);
    if (this.#shutdownAt !== undefined) this.say(`metric shutdown-to-gone ${now - this.#shutdownAt}`);
    this.say(`journal worker.gone ${state}> at ${now}`);
  }

  /** I-6, I-11. */
  #order(behavior: IdleBehavior): void {
    if (behavior === this.#behavior && behavior !== 'run') return;
    this.#setBehavior(behavior, operatorBecause);
  }

  /** W-28: in any state, and each order is carried out. */
  #killInstance(): void {
    if (this.#isDestroying) this.say('x destroy');
    this.#shutdown(operatorBecause, 'aborted');
  }

  #setBehavior(behavior: IdleBehavior, because: string): void {
    this.#behavior = behavior;
    this.#behaviorBecause = because;
    this.#wishTouched = true;
  }

  // The probe round.

  #beginRound(): void {
    if (this.#probe !== 'resting' || this.#life === 'shutdown') return;
    this.#round = { startedAt: this.deadlines.now, changes: this.#changes, bootFailed: false };
    const isSetUp = this.#life !== 'booting' && !this.#isFound() && !this.#isSetupLost;
    this.#visit(isSetUp ? 'run' : 'boot');
  }

  #visit(step: 'boot' | 'copy' | 'run'): void {
    this.#probe = step;
    this.say(`> ${step}`);
  }

  /** P-6: a worker found in the list is asked for containers whatever its boot stage says. */
  #bootStep(step: 'boot' | 'copy', answer: string): void {
    if (answer === 'ok') {
      if (step === 'boot' && this.#isBootingAt('addressed', 'connected', 'verified'))
        this.#enterStage('booted');
      else if (step === 'copy' && this.#isBootingAt('booted')) this.#enterStage('copied');
      return this.#visit(step === 'boot' ? 'copy' : 'run');
    }
    this.#round.bootFailed = true;
    this.#lastFailure = answer === 'fail' ? failureText : faultText;
    if (this.#isFound() && answer === 'fail') return this.#visit(step === 'boot' ? 'copy' : 'run');
    this.#rest();
    this.#roundFailed();
  }

  #runProbed(answer: string): void {
    const heard = hear(answer);
    if (answer !== 'fault') this.say(`metric run-probe 5 ${answer !== 'fail' && answer !== 'gone'}`);
    if (answer === 'gone' && this.#hasAnswered) return this.#setupWasLost();
    this.#rest();
    if (!heard) {
      if (answer !== 'fault') this.#lastFailure = failureText;
      return this.#roundFailed();
    }
    this.#hasAnswered = true;
    const isKnownToRun = [...this.#containers.values()].some(({ phase }) => phase !== 'starting');
    // W-34.
    if (this.#round.bootFailed && heard.live.length === 0 && !isKnownToRun) {
      return this.#roundFailed();
    }
    this.#noteStale(heard);
    this.#isSetupLost = false;
    this.#roundPassed(heard);
  }

  /** The next round puts the program in place first: at once, or at the usual pace when that did not help. */
  #setupWasLost(): void {
    if (!this.#isSetupLost) this.say('pool probe.wanted');
    this.#isSetupLost = true;
    this.#lastFailure = `the runner program is not there any more, or cannot be executed: ${failureText}`;
    this.#rest();
    this.#roundFailed();
  }

  #rest(): void {
    this.#probe = 'resting';
    this.say('pool probe.rested');
  }

  /** W-24, W-25, P-19: what counts is when the visit began. */
  #roundFailed(): void {
    if (this.#behavior === 'hold' || this.#life === 'shutdown' || this.#life === 'orphaned') return;
    const silentMs = this.#round.startedAt - this.#probedAt;
    if (this.#life === 'idle' || this.#life === 'running') {
      if (silentMs >= this.#settings.timeoutProbeMs)
        this.#shutdown('no answer for longer than the probe timeout');
      return;
    }
    const stageMs = this.#round.startedAt - this.#stageAt;
    const isStuck = this.#expected && stageMs >= this.#settings.bootStageTimeoutsMs[this.#stage];
    if (silentMs < this.#settings.timeoutBootingMs && !isStuck) return;
    if (this.#mayBelongToOthers()) this.#enterOrphaned();
    else this.#shutdown('the boot did not succeed in time', 'failure');
  }

  #roundPassed(heard: Heard): void {
    const { live, ended, isBroken } = heard;
    if (this.#life === 'booting' && isBroken && this.#behavior === 'run') {
      this.#reportBroken(heard);
      return this.#shutdown('broken at its first answer', undefined, true);
    }
    const wasOvertaken = this.#changes !== this.#round.changes;
    this.#reportBroken(heard);
    this.#probedAt = this.deadlines.now;
    this.#lastFailure = '';
    const isFound = this.#isFound();
    // K-1: it answered, if only with a container.
    if (this.#life === 'orphaned' && (wasOvertaken || this.#round.bootFailed)) this.#enterUnknown();
    if (wasOvertaken) return;
    if (isFound && this.#round.bootFailed) return this.#applyListing(live, ended);
    const isNew = this.#life === 'booting' || isFound;
    if (this.#life === 'booting' && this.#verifiedAt !== undefined)
      this.say(`metric ready ${this.deadlines.now - this.#verifiedAt}`);
    if (isNew) this.#decide('success');
    this.#applyListing(live, ended);
    if (isNew) this.#enterService();
  }

  #noteStale({ stale }: Heard): void {
    const { now } = this.deadlines;
    this.#staleSince = new Map(stale.map((name) => [name, this.#staleSince.get(name) ?? now]));
  }

  /** W-26, P-15: only one that is to run is drained for it. */
  #reportBroken(heard: Heard): void {
    const { now } = this.deadlines;
    const limitMs = this.#settings.timeoutStaleRunLockMs;
    const stuck = heard.stale.find((name) => now - this.#staleSince.get(name)! > limitMs);
    const because = heard.isBroken
      ? 'the instance reported itself broken'
      : stuck
        ? `the lock of container ${fullName(stuck)} is stale`
        : heard.notice;
    if (because === '' || this.#behavior !== 'run') return;
    this.#setBehavior('drain', because);
    if (because !== heard.notice) this.#decide('failure');
  }

  #applyListing(live: string[], ended: string[]): void {
    const before = this.#changes;
    const results = this.collects ? ended.filter((name) => !live.includes(name)) : [];
    const here = new Set([...live, ...results]);
    const gone = [...this.#containers].filter(([name, { phase }]) => phase === 'running' && !here.has(name));
    const changed = [
      ...live.filter((name) => this.#phaseOf(name) !== 'running' && this.#phaseOf(name) !== 'collecting'),
      ...results.filter((name) => this.#phaseOf(name) !== 'collecting'),
      ...gone,
    ];
    this.#last ||= live[0] ?? '';
    if (live.length > 0 || changed.length > 0) this.#busyAt = this.deadlines.now;
    this.#changes = before + (changed.length > 0 ? 1 : 0);
    for (const name of live) this.#sawAlive(name);
    for (const name of results) this.#sawEnded(name);
    for (const [name, { actor }] of gone) {
      this.#containers.delete(name);
      this.#exited(name, 'missing');
      actor?.missing();
    }
  }

  #sawAlive(name: string): void {
    const known = this.#containers.get(name);
    if (!known) return this.#adopt(name, 'listed');
    if (known.phase !== 'starting') return;
    known.phase = 'running';
    known.actor?.seen();
  }

  #sawEnded(name: string): void {
    const known = this.#containers.get(name);
    if (!known) return this.#adopt(name, 'ended');
    if (known.phase === 'collecting') return;
    known.phase = 'collecting';
    known.actor?.ended();
  }

  #phaseOf(name: string): Known['phase'] | undefined {
    return this.#containers.get(name)?.phase;
  }

  #adopt(name: string, origin: 'listed' | 'ended'): void {
    const phase = origin === 'listed' ? 'running' : 'collecting';
    const known: Known = { phase, gaveUp: false, queuedAt: undefined, actor: undefined };
    this.#containers.set(name, known);
    known.actor = new ContainerReference(name, origin, this);
  }

  // Containers.

  #assign(name: string): void {
    const isInService = this.#life === 'idle' || this.#life === 'running';
    if (!isInService || this.#behavior !== 'run' || this.#isSetupLost) return;
    if (this.#containers.has(name)) return;
    const known: Known = {
      phase: 'starting',
      gaveUp: false,
      queuedAt: this.deadlines.now - 5_000,
      actor: undefined,
    };
    this.#containers.set(name, known);
    known.actor = new ContainerReference(name, 'assigned', this);
  }

  #killContainer(name: string): void {
    const known = this.#containers.get(name);
    if (!known) return;
    known.gaveUp = false;
    this.#changes++;
    known.actor?.kill();
  }

  startReturned(name: string, answer: StartAnswer): void {
    const known = this.#containers.get(name);
    if (!known) return;
    if (known.phase === 'starting') known.phase = 'running';
    this.#busyAt = this.deadlines.now;
    this.#last = name;
    this.#changes++;
    if (known.queuedAt !== undefined)
      this.say(`metric queue-to-start ${this.deadlines.now - known.queuedAt}`);
    if (answer === 'ok') {
      this.#failedStarts = 0;
      this.say(`journal container.started ${name} at ${this.deadlines.now}`);
      return;
    }
    this.say(`metric failed-start ${answer === 'refused' ? 'instance' : 'daemon'}`);
    this.say(`journal container.startFailed ${name} at ${this.deadlines.now}`);
    this.say('pool probe.wanted');
    if (answer === 'refused' && ++this.#failedStarts >= 2) this.#event(() => this.#brokenByStarts());
  }

  #brokenByStarts(): void {
    const because = `broken: ${this.#failedStarts} starts in a row failed; the last: ${refusal.reason}`;
    if (this.#behavior === 'run') this.#setBehavior('drain', because);
  }

  ending(name: string): void {
    const known = this.#containers.get(name);
    if (known) known.phase = 'collecting';
    this.#changes++;
  }

  /** R-14, I-7. */
  gaveUp(name: string): void {
    this.#event(() => {
      this.#containers.get(name)!.gaveUp = true;
      this.#changes++;
      if (this.#behavior === 'run') this.#setBehavior('drain', gaveUpBecause);
    });
  }

  over(name: string, ending: RunnerEnding): void {
    if (!this.#containers.has(name)) return;
    this.#event(() => {
      this.#containers.delete(name);
      this.#changes++;
      this.#busyAt = this.deadlines.now;
      this.#exited(name, ending);
    });
  }

  #exited(name: string, ending: RunnerEnding): void {
    const { now } = this.deadlines;
    this.say(`pool exited ${name} at ${now}`);
    this.say(`journal container.exited ${name} at ${now} because ${ending}`);
  }

  // The watch.

  #watchSaid(word: string, name: string): void {
    switch (word) {
      case 'started':
        if (this.#phaseOf(name) === 'running' || this.#phaseOf(name) === 'collecting') return;
        this.#heeded(name);
        return this.#sawAlive(name);
      case 'ended':
        if (this.#phaseOf(name) === 'collecting') return;
        this.#heeded(name);
        return this.#sawEnded(name);
      case 'broken':
      case 'interruption':
        if (this.#behavior === 'run')
          this.#setBehavior('drain', word === 'broken' ? 'the instance reported itself broken' : spotNotice);
        return;
      case 'unknown':
        this.say('x watch');
        this.#watch = 'over';
        return;
      case 'closed':
        this.say('x watch');
        return this.#pauseWatch();
      case 'fault':
        return this.#pauseWatch();
    }
  }

  #pauseWatch(): void {
    this.#watch = 'pausing';
    this.say('pool probe.wanted');
    this.deadlines.set('watch', this.#settings.watchRetryMs, () => this.#openWatch());
  }

  #heeded(name: string): void {
    this.#changes++;
    this.#busyAt = this.deadlines.now;
    this.#last ||= name;
  }

  #openWatch(): void {
    this.#watch = 'open';
    this.say('> watch');
  }

  // The life.

  /** What the journal puts before the reason when somebody asked for it in this very step. */
  #whoAsked = '';

  #event(happens: () => void): void {
    const [life, behavior] = [this.#lifeName(), this.#behavior];
    happens();
    this.#consequences();
    const { now } = this.deadlines;
    if (this.#behavior !== behavior)
      this.say(
        `journal worker.behavior ${behavior}>${this.#behavior} at ${now} because ${this.#behaviorBecause}`,
      );
    const after = this.#lifeName();
    if (after !== life && after !== 'gone')
      this.say(`journal worker.transition ${life}>${after} at ${now}${this.#becauseOf(after)}`);
  }

  #becauseOf(life: string): string {
    if (life !== 'shutdown.destroying') return '';
    const last = this.#lastFailure === '' ? '' : `; the last failure was: ${this.#lastFailure}`;
    return ` because ${this.#whoAsked}${this.#shutdownBecause}${last}`;
  }

  /** What follows at once from how things are. */
  #consequences(): void {
    if (this.#life === 'gone') return;
    if (this.#isBootingAt('requested') && this.#address !== '') this.#enterStage('addressed');
    if (this.#life === 'booting' && this.#behavior === 'drain')
      this.#shutdown('draining while booting', 'aborted');
    this.#weighContainers();
    if (this.#life === 'idle' && this.#behavior === 'drain') this.#shutdown('draining and idle', 'aborted');
    if (this.#wishTouched) this.#weighWish();
    const isInService = this.#life === 'idle' || this.#life === 'running';
    if (isInService && this.#watch === 'off') this.#openWatch();
  }

  #weighContainers(): void {
    const containers = [...this.#containers.values()];
    if (this.#life === 'idle' && containers.length > 0) {
      this.#life = 'running';
      this.deadlines.clear('idle');
    } else if (this.#life === 'running' && containers.length === 0) this.#enterIdle();
    const allGivenUp = containers.length > 0 && containers.every(({ gaveUp }) => gaveUp);
    if (this.#life === 'running' && this.#behavior === 'drain' && allGivenUp)
      this.#shutdown('draining, and no container left that can be stopped');
  }

  /** I-6, W-21, W-23 with K-1. */
  #weighWish(): void {
    this.#wishTouched = false;
    const { now } = this.deadlines;
    const { timeoutIdleMs, timeoutBootingMs } = this.#settings;
    this.#tags.wishMayDiffer();
    if (this.#behavior === 'hold') return;
    if (this.#life === 'idle' && now - this.#busyAt >= timeoutIdleMs)
      this.#shutdown('idle for longer than the idle timeout', 'aborted');
    const isSilent = !this.#hasAnswered && this.#containers.size === 0 && this.#probe === 'resting';
    if (this.#life === 'unknown' && isSilent && now - this.#appearedAt >= timeoutBootingMs) {
      if (this.#mayBelongToOthers()) this.#enterOrphaned();
      else this.#shutdown('never answered within the boot timeout', 'aborted');
    } else if (this.#life === 'orphaned') this.#weighOrphan();
  }

  #weighOrphan(): void {
    const { removesOrphans = false, orphanGraceMs = 0, timeoutBootingMs } = this.#settings;
    const ageMs = this.deadlines.now - this.#appearedAt;
    if (this.#behavior === 'drain') this.#shutdown('draining, and it never answered', 'aborted');
    else if (removesOrphans && ageMs >= timeoutBootingMs + orphanGraceMs)
      this.#shutdown('nobody recorded that it was asked for, and it never answered', 'aborted');
  }

  /** Found in the list, and not in service yet. */
  #isFound(): boolean {
    return this.#life === 'unknown' || this.#life === 'orphaned';
  }

  #mayBelongToOthers(): boolean {
    return this.#life === 'unknown' && !this.#recorded && this.#behavior !== 'drain';
  }

  #enterUnknown(): void {
    this.#life = 'unknown';
    this.deadlines.clear('orphan');
    this.deadlines.set('boot', this.#settings.timeoutBootingMs, () => this.say('pool probe.wanted'));
  }

  #enterOrphaned(): void {
    this.#life = 'orphaned';
    this.say('pool probe.wanted');
    this.deadlines.clear('boot');
    this.deadlines.set('orphan', this.#settings.orphanGraceMs ?? 0, () =>
      this.#event(() => {
        this.#wishTouched = true;
      }),
    );
  }

  #enterStage(stage: BootStage): void {
    this.#stage = stage;
    this.#stageAt = this.deadlines.now;
    this.deadlines.set('boot', this.#settings.bootStageTimeoutsMs[stage], () =>
      this.say('pool probe.wanted'),
    );
    if (stage === 'addressed') this.say('pool probe.wanted');
    if (stage !== 'verified' || this.#verifiedAt !== undefined) return;
    this.#verifiedAt = this.deadlines.now;
    this.say(`metric ssh ${this.deadlines.now - this.#appearedAt}`);
  }

  #enterService(): void {
    this.deadlines.clear('boot', 'orphan');
    this.#busyAt = this.deadlines.now;
    if (this.#containers.size > 0) this.#life = 'running';
    else this.#enterIdle();
  }

  #enterIdle(): void {
    this.#life = 'idle';
    this.#busyAt = this.deadlines.now;
    this.deadlines.set('idle', this.#settings.timeoutIdleMs, () =>
      this.#event(() => {
        if (this.#behavior !== 'hold') this.#shutdown('idle for longer than the idle timeout', 'aborted');
      }),
    );
  }

  /** S-1. The boot outcome is decided only by some of the reasons (section 2.4). */
  #shutdown(because: string, outcome?: BootOutcome, keepsFailure = false): void {
    if (outcome) this.#decide(outcome);
    if (this.#life === 'shutdown' && this.#isDestroying && !keepsFailure) this.#isDestroying = false;
    this.#life = 'shutdown';
    this.#shutdownAt ??= this.deadlines.now;
    this.#shutdownBecause = because;
    this.#changes++;
    this.deadlines.clear('boot', 'idle', 'orphan');
    this.#stopVisiting();
    this.#destroy();
  }

  #destroy(): void {
    this.deadlines.clear('destroy');
    this.#isDestroying = true;
    this.say('> destroy');
  }

  #destroyAnswered(ok: boolean): void {
    this.#isDestroying = false;
    if (ok) this.#isDestroyConfirmed = true;
    this.deadlines.set('destroy', this.#settings.timeoutShutdownMs, () => this.#event(() => this.#destroy()));
  }

  /** No visit and no watch any more (P-6). */
  #stopVisiting(): void {
    if (this.#probe !== 'resting' && this.#probe !== 'stopped') this.say(`x ${this.#probe}`);
    this.#probe = 'stopped';
    if (this.#watch === 'open') this.say('x watch');
    this.#watch = 'over';
    this.deadlines.clear('watch');
  }

  #decide(outcome: BootOutcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.say(`metric boot ${outcome}`);
    this.say(`journal boot.outcome >${outcome} at ${this.deadlines.now}`);
  }

  #isBootingAt(...stages: BootStage[]): boolean {
    return this.#life === 'booting' && stages.includes(this.#stage);
  }

  #lifeName(): string {
    if (this.#life === 'booting') return `booting.${this.#stage}`;
    if (this.#life === 'shutdown') return `shutdown.${this.#isDestroying ? 'destroying' : 'leaving'}`;
    return this.#life;
  }

  #viewedLife(): string {
    return this.#life === 'orphaned' ? 'unknown (orphan)' : this.#life;
  }

  #view(): string {
    if (this.#life === 'gone') return 'view none';
    const names = [...this.#containers.keys()].sort().join(' ');
    const stage = this.#life === 'booting' ? this.#stage : '-';
    return [
      `view ${this.#viewedLife()} ${stage} ${this.#behavior} [${names}]`,
      `last=${this.#last} busy=${this.#busyAt} address=${this.#address}`,
    ].join(' ');
  }
}

function fullName(name: string): string {
  return `zzzzz-dz642-00000000000000${name.slice(1)}`;
}

/** What a listing of these words says; `undefined` when there was none. */
function hear(words: string): Heard | undefined {
  if (['fail', 'gone', 'fault'].includes(words)) return undefined;
  const heard: Heard = { live: [], stale: [], ended: [], isBroken: false, notice: '' };
  for (const word of words.split(',')) {
    const [name = '', fate] = word.split(':');
    if (word === 'broken') heard.isBroken = true;
    else if (word === 'interruption') heard.notice = spotNotice;
    else if (word !== 'nothing')
      (({ stale: heard.stale, ended: heard.ended })[fate ?? ''] ?? heard.live).push(name);
  }
  return heard;
}
