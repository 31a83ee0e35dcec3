import { Drive, type Difference } from './drive.js';
import type { Build, Scenario, Subject } from './world.js';

/** Numbers from 0 up to 1 that follow from the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A path of so many steps through the scenario, each chosen among what may happen then. */
export function randomWalk(
  subject: Subject,
  scenario: Scenario,
  { length, random, build }: { length: number; random: () => number; build?: Build },
): { path: readonly string[]; difference: Difference | undefined } {
  const drive = new Drive(subject, scenario, build);
  drive.follow(scenario.prefix ?? []);
  while (drive.path.length < length) {
    const options = drive.options();
    if (options.length === 0) break;
    drive.follow([options[Math.floor(random() * options.length)]!]);
  }
  return { path: drive.path, difference: drive.end() };
}
