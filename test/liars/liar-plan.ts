import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { allLies, whileConnected, type Lie } from './lies.js';

/** How one liar lies. */
export interface LiarPlan {
  /** Each with the share of the commands of its kind that it answers. */
  lies: readonly { lie: Lie; share: number }[];
  /** It comes back with another host key, some time after it lied first. */
  changesHostKey: boolean;
  /** Mean time between two hang-ups; 0: never. */
  hangUpMs: number;
  /** It is honest for so long after it came up. */
  honestMs: number;
}

export interface SeedPlan {
  liars: readonly LiarPlan[];
}

/** What is to happen with a seed: the same for the same seed. Each liar does something that no honest instance does. */
export function planOf(seed: number): SeedPlan {
  const random = new SeededRandom(`liars/${seed}`);
  const count = random.pick([1, 1, 2, 3]);
  return { liars: Array.from({ length: count }, (_, index) => drawLiar(random.fork(`liar/${index}`))) };
}

const breaches = allLies.filter(({ isBreach }) => isBreach);
const others = allLies.filter(({ isBreach }) => !isBreach);

function drawLiar(random: SeededRandom): LiarPlan {
  const changesHostKey = random.chance(0.15);
  const lies = [];
  if (!changesHostKey || random.chance(0.3)) lies.push({ lie: random.pick(breaches), share: 1 });
  const more = random.whole(0, 3);
  for (let index = 0; index < more; index++)
    lies.push({ lie: random.pick(others), share: random.between(0.05, 0.3) });
  return {
    lies,
    changesHostKey,
    hangUpMs: random.chance(0.2) ? random.between(2_000, 8_000) : 0,
    honestMs: random.pick([0, 0, 2_000, 5_000]),
  };
}

/** For people. */
export function describePlan({ liars }: SeedPlan): string {
  return liars.map(describeLiar).join(' | ');
}

function describeLiar({ lies, changesHostKey, hangUpMs }: LiarPlan): string {
  return [
    ...lies.map(({ lie }) => lie.name),
    ...(changesHostKey ? [whileConnected.newHostKey] : []),
    ...(hangUpMs > 0 ? [whileConnected.hangsUp] : []),
  ].join(' + ');
}
