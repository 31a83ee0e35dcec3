import type { Clock } from '../../domain/clock.js';
import type { VmKnobs } from './vm-behavior.js';

/** What a pretended container does. */
export interface StubExecution {
  durationMs: number;
  exitCode: number;
  /** It is stopped at its time limit. Default false. */
  timedOut?: boolean;
  stdout: string;
  stderr: string;
  /** What its supervisor does at the end, before it goes itself: it reports, if it reports to somebody. */
  report?(exitCode: number): Promise<void>;
}

export interface StubContainersOptions {
  clock: Clock;
  random: () => number;
  knobs: Readonly<VmKnobs>;
  /** Asked once for each container, with what the start command brought on its standard input. */
  execute(uuid: string, document: string): StubExecution;
  /** It runs: a crash before this never happened as far as anybody knows. */
  onStarted?(uuid: string): void;
  onEnded?(uuid: string, outcome: { exitCode: number; isCrash: boolean }): void;
  /** A line for those that watch. */
  tell(line: string): void;
}

interface StubContainer {
  /** `live`: it runs. `held`: it is over and its lock is not free yet. `over`: it is over. */
  phase: 'live' | 'held' | 'over';
  /** There is a result: to be had as soon as it is over, and not discarded. */
  hasResult: boolean;
  isDiscarded: boolean;
  /** As the start command named it. */
  attempt: number | undefined;
  execution: StubExecution;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  isCrash: boolean;
  note: string;
  timer: unknown;
}

const timedOutNote = 'stopped at its time limit';

/** The pretended containers of one machine: timers that end with an outcome. */
export class StubContainers {
  readonly #options: StubContainersOptions;
  readonly #containers = new Map<string, StubContainer>();

  constructor(options: StubContainersOptions) {
    this.#options = options;
  }

  /** False: one of that id is there and holds its lock. */
  start(uuid: string, document: string, attempt?: number): boolean {
    const { clock, random, knobs, execute } = this.#options;
    const known = this.#containers.get(uuid);
    if (known && known.phase !== 'over') return false;
    const execution = execute(uuid, document);
    const startedAt = clock.now();
    const isCrash = random() < knobs.crashRate;
    const isEarly = isCrash && random() < 0.5;
    const container: StubContainer = {
      phase: 'live',
      hasResult: false,
      isDiscarded: false,
      attempt,
      execution,
      startedAt,
      finishedAt: 0,
      exitCode: 255,
      isCrash: false,
      note: '',
      timer: undefined,
    };
    this.#containers.set(uuid, container);
    if (!isEarly) {
      this.#options.onStarted?.(uuid);
      this.#options.tell(`started ${named(uuid, container)}`);
    }
    const runsMs = isCrash ? execution.durationMs * random() : execution.durationMs;
    const end = isCrash
      ? () => this.#end(uuid, container, 255, 'its supervisor ended without a result', true)
      : () => this.#report(uuid, container, execution.exitCode, execution.timedOut ? timedOutNote : '');
    container.timer = clock.setTimeout(end, isEarly ? 0 : runsMs);
    return true;
  }

  /** True when it is over or unknown: there is nothing left to signal. */
  kill(uuid: string): boolean {
    const { clock, knobs } = this.#options;
    const container = this.#containers.get(uuid);
    if (container?.phase !== 'live') return true;
    if (container.note !== '') return false;
    container.note = 'stopped on request';
    clock.clearTimeout(container.timer);
    const end = (): void => this.#report(uuid, container, 143, container.note);
    if (knobs.killDelayMs === 0) end();
    else container.timer = clock.setTimeout(end, knobs.killDelayMs);
    return container.phase !== 'live';
  }

  /** As the runner program lists them. */
  listing(): string[] {
    return [...this.#containers].flatMap(([uuid, { phase, hasResult, attempt }]) => {
      const number = attempt === undefined ? [] : [`attempt ${uuid} ${attempt}`];
      if (phase === 'live') return [...number, uuid];
      if (phase === 'held' && !(hasResult && this.#options.knobs.keepsResults)) return [`${uuid} stale`];
      return this.#options.knobs.keepsResults ? [...number, `${uuid} ended`] : [];
    });
  }

  /** As a new watcher is told. */
  present(): string[] {
    return [...this.#containers].flatMap(([uuid, container]) => {
      const { phase, hasResult } = container;
      if (phase === 'held' && !hasResult) return [];
      return [`${phase === 'live' ? 'started' : 'ended'} ${named(uuid, container)}`];
    });
  }

  /** What `--collect` prints, or why it does not. */
  collect(uuid: string): string {
    const container = this.#containers.get(uuid);
    if (!container) return 'unknown';
    if (container.phase === 'held' && container.isDiscarded) return 'unknown';
    if (container.phase === 'live' || (container.phase === 'held' && !container.hasResult)) return 'running';
    const { execution, startedAt, finishedAt, exitCode, isCrash, note, attempt } = container;
    const { stdout, stderr } = execution;
    const header = {
      uuid,
      exitCode,
      startedAt,
      finishedAt,
      stdoutBytes: Buffer.byteLength(stdout),
      stderrBytes: Buffer.byteLength(stderr),
      timedOut: note === timedOutNote,
      truncated: false,
      lost: isCrash,
      ...(attempt === undefined ? {} : { attempt }),
      note,
    };
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    return `${JSON.stringify(header)}\n${encode(stdout)}\n${encode(stderr)}\n`;
  }

  /** False while it runs. Without effect when another attempt took the place of the one that is named. */
  discard(uuid: string, attempt?: number): boolean {
    const container = this.#containers.get(uuid);
    if (!container) return true;
    if (attempt !== undefined && container.attempt !== undefined && container.attempt !== attempt)
      return true;
    if (container.phase === 'live' || (container.phase === 'held' && !container.hasResult)) return false;
    if (container.phase === 'over') this.#containers.delete(uuid);
    else Object.assign(container, { hasResult: false, isDiscarded: true });
    return true;
  }

  stdoutOf(uuid: string): string | undefined {
    return this.#containers.get(uuid)?.execution.stdout;
  }

  /** The machine is gone and everything on it. */
  clear(): void {
    for (const { timer } of this.#containers.values()) this.#options.clock.clearTimeout(timer);
    this.#containers.clear();
  }

  #report(uuid: string, container: StubContainer, exitCode: number, note: string): void {
    const end = (): void => {
      // Unless the machine went meanwhile, or a TERM came.
      if (this.#containers.get(uuid) === container && container.phase === 'live')
        this.#end(uuid, container, exitCode, note, false);
    };
    const { execution } = container;
    if (execution.report) void execution.report(exitCode).then(end, end);
    else end();
  }

  #end(uuid: string, container: StubContainer, exitCode: number, note: string, isCrash: boolean): void {
    const { clock, random, knobs } = this.#options;
    const hasResult = !isCrash;
    Object.assign(container, { phase: 'held', hasResult, exitCode, isCrash, note, finishedAt: clock.now() });
    if (hasResult && knobs.keepsResults) this.#options.tell(`ended ${named(uuid, container)}`);
    this.#options.onEnded?.(uuid, { exitCode, isCrash });
    if (random() < knobs.deadlockRate) return;
    const release = (): void => {
      container.phase = 'over';
      if (container.isDiscarded) this.#containers.delete(uuid);
      else if (!hasResult || !knobs.keepsResults) this.#options.tell(`ended ${named(uuid, container)}`);
    };
    const lagMs = knobs.lockLagMs * random();
    if (lagMs === 0) release();
    else container.timer = clock.setTimeout(release, lagMs);
  }
}

/** As a watch line names it. */
function named(uuid: string, { attempt }: StubContainer): string {
  return attempt === undefined ? uuid : `${uuid} ${attempt}`;
}
