import { instanceLimits } from '../domain/instance-limits.js';
import type { JournalEntry } from './journal.js';

const windowMs = 60_000;
/** Instances that are remembered. */
const mostInstances = 10_000;
/** Only for replay: these are left out first. */
const stepKinds: ReadonlySet<string> = new Set(['worker.begun', 'worker.step']);
/** Few, and what an operator needs most. */
const alwaysKept: ReadonlySet<string> = new Set([
  'instance.quarantined',
  'invariant.violated',
  'operator.order',
  'worker.appeared',
  'worker.gone',
]);

interface Window {
  since: number;
  bytes: number;
  leftOut: { entries: number; bytes: number };
}

/** Bounds how many bytes about each instance reach the journal within a minute, and says how many did not. */
export class ByteBudget {
  readonly #windows = new Map<string, Window>();
  /** Those with something left out that no entry says yet. */
  readonly #cut = new Set<string>();
  readonly #total = new Map<string, number>();
  /** Bytes about all instances that were left out, since the daemon began. */
  leftOutBytes = 0;

  /** When the next window with something left out ends; epoch ms, `undefined` when there is none. */
  get dueAt(): number | undefined {
    if (this.#cut.size === 0) return undefined;
    return Math.min(...[...this.#cut].map((instance) => this.#windows.get(instance)!.since + windowMs));
  }

  /** Bytes about the instance that were left out, since the daemon began. */
  leftOut(instance: string): number {
    return this.#total.get(instance) ?? 0;
  }

  /** False when the entry is to be left out. */
  take({ instance, kind }: JournalEntry, bytes: number, now: number): boolean {
    if (instance === undefined) return true;
    const window = this.#windowOf(instance, now);
    const { journalBytesPerMinute: all, journalStepBytesPerMinute: steps } = instanceLimits;
    const limit = stepKinds.has(kind) ? steps : all;
    if (alwaysKept.has(kind) || window.bytes + bytes <= limit) {
      window.bytes += bytes;
      return true;
    }
    window.leftOut.entries++;
    window.leftOut.bytes += bytes;
    this.leftOutBytes += bytes;
    this.#cut.add(instance);
    remember(this.#total, instance, this.leftOut(instance) + bytes);
    return false;
  }

  /** One entry for each window that ended with something left out; `all`: for those that go on, too. */
  settle(now: number, all = false): JournalEntry[] {
    const entries: JournalEntry[] = [];
    for (const instance of this.#cut) {
      const window = this.#windows.get(instance)!;
      if (!all && isCurrent(window, now)) continue;
      const { leftOut } = window;
      this.#cut.delete(instance);
      this.#windows.delete(instance);
      const because = `${leftOut.entries} entries with ${leftOut.bytes} bytes about it came within a minute beyond the limit`;
      entries.push({ at: now, kind: 'journal.cut', instance, because, data: { ...leftOut } });
    }
    return entries;
  }

  #windowOf(instance: string, now: number): Window {
    const known = this.#windows.get(instance);
    if (known && isCurrent(known, now)) return known;
    const begun: Window = { since: now, bytes: 0, leftOut: { entries: 0, bytes: 0 } };
    remember(this.#windows, instance, begun, (id) => !this.#cut.has(id));
    return begun;
  }
}

const isCurrent = ({ since }: Window, now: number): boolean => now >= since && now - since < windowMs;

/** As the newest; the oldest that may go makes room. */
function remember<V>(
  map: Map<string, V>,
  key: string,
  value: V,
  mayGo: (key: string) => boolean = () => true,
): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= mostInstances) return;
  for (const oldest of map.keys()) {
    if (!mayGo(oldest)) continue;
    map.delete(oldest);
    return;
  }
}
