import type { AttackedDaemon, InstanceBody } from './attacked-daemon.js';
import { liarType } from './attacked-daemon.js';
import type { LiarFigures, SeedFigures } from './judge.js';
import type { MixedHost } from './mixed-host.js';
import type { Measured } from './meter.js';

const MiB = 2 ** 20;
const minuteMs = 60_000;
const leavingStates = /^(shutdown|gone)/;
/** Of what it measured before there was a liar, the last so many say what is held when it is quiet. */
const quietReports = 6;

type Watched = Pick<
  SeedFigures,
  'memoryMiB' | 'turnMs' | 'turnOnTheWallMs' | 'journalMiB' | 'liars' | 'drained'
>;

/** Looks at the daemon from outside while there are liars. */
export class Watchman {
  readonly #daemon: AttackedDaemon;
  readonly #host: MixedHost;
  readonly #quarantined = new Map<string, { at: number; because: string }>();
  readonly #drained = new Map<string, string>();
  readonly #honest = new Set<string>();
  readonly #journal: { at: number; bytes: number }[] = [];
  #beganAt = 0;
  #quietBytes = 0;
  #firstReport = 0;

  constructor(daemon: AttackedDaemon, host: MixedHost) {
    this.#daemon = daemon;
    this.#host = host;
  }

  /** The quiet time is over. */
  begin(): void {
    const { measured } = this.#daemon;
    this.#beganAt = Date.now();
    this.#quietBytes = Math.min(...measured.slice(-quietReports).map(({ heldBytes }) => heldBytes));
    this.#firstReport = measured.length + 1;
    this.#daemon.readJournal();
  }

  async look(): Promise<void> {
    const now = Date.now();
    const { bytes, quarantined } = this.#daemon.readJournal();
    this.#journal.push({ at: now, bytes });
    // One that has no work is destroyed at once, and is in no list any more.
    for (const { instance, at, because } of quarantined) this.#found(instance, at, because);
    // One that is busy is asked again: how late its results are is judged elsewhere.
    const instances = await this.#daemon.instances().catch(() => undefined);
    if (instances) this.#see(instances);
  }

  /** All liars are in quarantine since so long. */
  isSettled(sinceMs: number): boolean {
    const liars = [...this.#host.liars.values()];
    return liars.every(({ id }) => {
      const found = this.#quarantined.get(id);
      return found !== undefined && Date.now() - found.at >= sinceMs;
    });
  }

  /** How long the liars or the daemon stood ready without a processor in this time: nothing was said, or heard. */
  waitedMs(from: number, to = Date.now()): number {
    const { measured } = this.#daemon;
    const daemonMs = (at: number): number => measured.findLast((each) => each.at <= at)?.waitedMs ?? 0;
    const liarsMs = (at: number): number => this.#host.liarsWaitedMs(at);
    return Math.max(liarsMs(to) - liarsMs(from), daemonMs(to) - daemonMs(from));
  }

  /** There are liars that had no occasion yet. */
  hasSilentLiars(): boolean {
    return [...this.#host.liars.values()].some(({ breach }) => breach === undefined);
  }

  figures(): Watched {
    const attacked = this.#daemon.measured.slice(this.#firstReport);
    const most = (of: (each: Measured) => number): number => Math.max(0, ...attacked.map(of));
    return {
      memoryMiB: Math.max(0, most(({ heldBytes }) => heldBytes) - this.#quietBytes) / MiB,
      turnMs: Math.max(
        most(({ longestOwnTurnMs }) => longestOwnTurnMs),
        this.#silenceMs(attacked),
      ),
      turnOnTheWallMs: most(({ longestTurnMs, longestDelayMs }) => Math.max(longestTurnMs, longestDelayMs)),
      journalMiB: this.#worstMinute() / MiB,
      liars: [...this.#host.liars.values()].map((each) => this.#figuresOf(each)),
      drained: [...this.#drained].map(([id, why]) => `${id}: ${why}`),
    };
  }

  #see(instances: readonly InstanceBody[]): void {
    const listed = new Map(instances.map((each) => [each.instance, each]));
    for (const { instance, type, quarantine } of instances) {
      // One without an id is still being asked for.
      if (type !== liarType && instance !== '') this.#honest.add(instance);
      if (quarantine) this.#found(instance, Date.now(), quarantine.because);
    }
    for (const id of this.#honest) {
      const why = sufferingOf(listed.get(id));
      if (why !== undefined && !this.#drained.has(id)) this.#drained.set(id, why);
    }
  }

  #found(instance: string, at: number, because: string): void {
    if (this.#host.liars.has(instance) && !this.#quarantined.has(instance))
      this.#quarantined.set(instance, { at, because });
  }

  #figuresOf({ id, breach }: { id: string; breach?: { name: string; at: number } }): LiarFigures {
    const found = this.#quarantined.get(id);
    return {
      id,
      lie: breach?.name,
      quarantinedAfterMs:
        found && breach ? Math.max(0, found.at - breach.at - this.waitedMs(breach.at, found.at)) : undefined,
      because: found?.because ?? '',
    };
  }

  /** One that hangs does not report how long its turn is. */
  #silenceMs(attacked: readonly Measured[]): number {
    const last = attacked.at(-1)?.at ?? this.#beganAt;
    const silentMs = Date.now() - last;
    return silentMs > 10_000 ? silentMs : 0;
  }

  #worstMinute(): number {
    let worst = 0;
    for (const { at } of this.#journal) {
      const within = this.#journal.filter((each) => each.at >= at && each.at < at + minuteMs);
      worst = Math.max(
        worst,
        within.reduce((sum, { bytes }) => sum + bytes, 0),
      );
    }
    return worst;
  }
}

function sufferingOf(instance: InstanceBody | undefined): string | undefined {
  if (!instance) return 'destroyed';
  if (instance.quarantine) return `quarantined: ${instance.quarantine.because}`;
  if (instance.idleBehavior !== 'run') return instance.idleBehavior;
  return leavingStates.test(instance.state) ? instance.state : undefined;
}
