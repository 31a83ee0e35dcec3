import type { Clock } from '../../domain/clock.js';
import type { InstanceType } from '../../domain/instance-type.js';

/** So long the subnet that worked last goes first. */
const favouriteMs = 30 * 60_000;
/** Wishes remembered: far more than can be under way at once. */
const mostWishes = 10_000;

/**
 * In which order subnets are tried (EC-20..EC-23): first the one of the last try, which is remembered for each type and
 * for a while only (DW-12). A wish told again begins where it was, because an instance may have come of it there.
 */
export class SubnetRotation {
  readonly #subnets: readonly string[];
  readonly #clock: Clock;
  readonly #favourites = new Map<string, { index: number; at: number }>();
  readonly #wishes = new Map<string, number>();

  /** Without subnets the one `''` is tried: the default of the account. */
  constructor(subnets: readonly string[], clock: Clock) {
    this.#subnets = subnets.length > 0 ? subnets : [''];
    this.#clock = clock;
  }

  /** Each subnet once. */
  order(type: InstanceType, wish?: string): string[] {
    const favourite = this.#favourites.get(keyOf(type));
    const isFresh = favourite !== undefined && this.#clock.now() - favourite.at < favouriteMs;
    const first =
      (wish === undefined ? undefined : this.#wishes.get(wish)) ?? (isFresh ? favourite.index : 0);
    return [...this.#subnets.slice(first), ...this.#subnets.slice(0, first)];
  }

  /** A request with this subnet is about to be made. */
  trying(type: InstanceType, wish: string, subnetId: string): void {
    const index = this.#subnets.indexOf(subnetId);
    if (index === -1) return;
    this.#favourites.set(keyOf(type), { index, at: this.#clock.now() });
    this.#wishes.delete(wish);
    this.#wishes.set(wish, index);
    if (this.#wishes.size <= mostWishes) return;
    const [oldest] = this.#wishes.keys();
    this.#wishes.delete(oldest!);
  }
}

function keyOf({ providerType, preemptible }: InstanceType): string {
  return `${providerType} ${preemptible}`;
}
