import type { StubAnswer } from '../drivers/simulated/stub-vm.js';
import type { SeededRandom } from './seeded-random.js';

/**
 * The answer to a list, as a machine tells it that lies: in one of the ways that the daemon must bear.
 * That what it was told to run has ended is believed: nobody else could know.
 */
export function lieAboutList(answer: StubAnswer, random: SeededRandom): StubAnswer {
  if (answer.exitCode !== 0) return answer;
  const lines = answer.stdout.split('\n').filter((line) => line !== '');
  const lie = random.pick(lies);
  return {
    ...answer,
    stdout: lie(lines, random)
      .map((line) => `${line}\n`)
      .join(''),
  };
}

type Lie = (lines: string[], random: SeededRandom) => string[];

const noise: Lie = (lines) => ['\u001b[31mMotd: 3 updates', ...lines, 'simul-dz642-short', '{"broken":tr'];

/** A container that nobody ever asked for is said to run there. */
const stranger: Lie = (lines, random) => [...lines, `simul-dz642-${random.hex(15)}`];

/** What ended is said to run. */
const alive: Lie = (lines) => lines.map((line) => line.replace(/ ended$/, ''));

const lies: readonly Lie[] = [noise, stranger, alive];
