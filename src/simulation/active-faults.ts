import type { MemoryHost } from '../drivers/simulated/memory-host.js';
import { parseStubCommand } from '../drivers/simulated/stub-command.js';
import type { StubAnswer } from '../drivers/simulated/stub-vm.js';
import type { Fault, FaultKind } from './faults.js';
import type { HeapClock } from './heap-clock.js';
import { lieAboutList } from './corrupt-listing.js';
import type { SeededRandom } from './seeded-random.js';
import type { SimulatedNetwork } from './simulated-executor.js';

/** A fault that goes on, and whom it hit; `''`: everybody. */
interface Active {
  fault: Fault;
  subject: string;
}

/** So long an SSH client waits for a sign of life before it gives a connection up. */
const keepaliveMs = 30_000;
/** So long a list leaves an instance out. */
const leftOutMs = 45_000;

/** What is wrong at present: the faults that go on, as those see them that they hit. */
export class Trouble implements SimulatedNetwork {
  /** The daemon's clock is wrong by so much. */
  skewMs = 0;
  readonly #clock: HeapClock;
  readonly #random: SeededRandom;
  readonly #host: MemoryHost;
  readonly #active = new Map<FaultKind, Active[]>();
  readonly #leftOutAt = new Map<string, number>();
  readonly #channels = new Map<string, Set<() => void>>();

  constructor(clock: HeapClock, random: SeededRandom, host: MemoryHost) {
    this.#clock = clock;
    this.#random = random;
    this.#host = host;
  }

  begin(fault: Fault, subject: string): void {
    const active: Active = { fault, subject };
    const list = this.#active.get(fault.kind);
    if (list) list.push(active);
    else this.#active.set(fault.kind, [active]);
    this.#clock.setTimeout(() => this.#end(active), fault.forMs);
    if (fault.kind === 'silence' || fault.kind === 'blackout' || fault.kind === 'impostor')
      this.#breakChannels(active);
  }

  /** All is well from now on. */
  endAll(): void {
    this.#active.clear();
    this.skewMs = 0;
  }

  /** The worst of that kind at present; 0: none goes on. */
  amount(kind: FaultKind, subject = ''): number {
    let worst = 0;
    for (const active of this.#active.get(kind) ?? []) {
      if (active.subject === '' || active.subject === subject) worst = Math.max(worst, active.fault.amount);
    }
    return worst;
  }

  isOn(kind: FaultKind, subject = ''): boolean {
    const list = this.#active.get(kind);
    if (list === undefined) return false;
    return list.some((active) => active.subject === '' || active.subject === subject);
  }

  /** Whether one of that kind goes on, whomever it hits. */
  hasAny(kind: FaultKind): boolean {
    return this.#active.has(kind);
  }

  /** Whether a fault of that kind, whose amount is a share, strikes now. */
  strikes(kind: FaultKind, subject = ''): boolean {
    const share = this.amount(kind, subject);
    return share > 0 && this.#random.chance(share);
  }

  /** From 0 to the amount of the worst fault of that kind. */
  upTo(kind: FaultKind): number {
    const most = this.amount(kind);
    return most > 0 ? Math.round(most * this.#random.next()) : 0;
  }

  /**
   * Whether lists do not show this instance at present: for a while, and then not again for as long. One that a list
   * showed late is not left out at once as well: the daemon counts on seeing it within a minute.
   */
  leavesOut(id: string): boolean {
    const now = this.#clock.now();
    if (!this.#leftOutAt.has(id))
      this.#leftOutAt.set(id, this.isOn('list-lag') ? now - leftOutMs : -Infinity);
    const since = this.#leftOutAt.get(id)!;
    if (now - since < leftOutMs) return this.isOn('list-gaps');
    if (now - since < 2 * leftOutMs || !this.strikes('list-gaps')) return false;
    this.#leftOutAt.set(id, now);
    return true;
  }

  /** Whether a command to that machine may go otherwise than it should. */
  disturbs(id: string): boolean {
    const active = this.#active;
    if (active.size === 0) return false;
    if (active.has('blackout') || active.has('lost-answers') || active.has('lost-commands')) return true;
    return this.isOn('silence', id) || this.isOn('lying-lists', id) || this.isOn('impostor', id);
  }

  // The network.

  state(address: string): 'up' | 'silent' {
    if (this.isOn('blackout')) return 'silent';
    if (!this.#active.has('silence')) return 'up';
    return this.isOn('silence', this.#host.at(address)?.id ?? '-') ? 'silent' : 'up';
  }

  losesCommand(): boolean {
    return this.#active.has('lost-commands') && this.strikes('lost-commands');
  }

  losesAnswer(): boolean {
    return this.#active.has('lost-answers') && this.strikes('lost-answers');
  }

  isImpostor(address: string): boolean {
    return this.#active.has('impostor') && this.isOn('impostor', this.#host.at(address)?.id ?? '-');
  }

  /** A machine may say that a start failed though it did not, or lie about what runs there. */
  told(address: string, command: string, answer: StubAnswer): StubAnswer {
    if (!this.#active.has('lying-starts') && !this.#active.has('lying-lists')) return answer;
    const id = this.#host.at(address)?.id;
    const { kind } = parseStubCommand(command);
    if (kind === 'start' && this.strikes('lying-starts', id))
      return { exitCode: 1, stdout: '', stderr: 'something went wrong\n' };
    if (kind === 'list' && this.strikes('lying-lists', id)) return lieAboutList(answer, this.#random);
    return answer;
  }

  attach(address: string, broke: () => void): () => void {
    const channels = this.#channels.get(address) ?? new Set();
    this.#channels.set(address, channels.add(broke));
    return () => {
      channels.delete(broke);
      if (channels.size === 0 && this.#channels.get(address) === channels) this.#channels.delete(address);
    };
  }

  /** What was open when the line went silent is given up by the client, or reset when the silence ends before. */
  #breakChannels(active: Active): void {
    const open = [...this.#channels].flatMap(([address, channels]) => {
      const isHit = active.subject === '' || this.#host.at(address)?.id === active.subject;
      return isHit ? [...channels].map((broke) => ({ channels, broke })) : [];
    });
    this.#clock.setTimeout(
      () => {
        for (const { channels, broke } of open) if (channels.has(broke)) broke();
      },
      Math.min(keepaliveMs, active.fault.forMs),
    );
  }

  #end(active: Active): void {
    const { kind } = active.fault;
    const rest = (this.#active.get(kind) ?? []).filter((each) => each !== active);
    if (rest.length > 0) this.#active.set(kind, rest);
    else this.#active.delete(kind);
  }
}
