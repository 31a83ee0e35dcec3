/** What came of one seed. */
export interface SeedFigures {
  seed: number;
  /** What its liars did. */
  plan: string;
  /** Above what the daemon held before there was a liar, after garbage is collected. */
  memoryMiB: number;
  /** The longest turn of the daemon's loop, in processor time: what other programs take does not count. */
  turnMs: number;
  /** On the wall. */
  turnOnTheWallMs: number;
  /** From the end of a container on an honest instance to its result in the API; the worst, without waiting likewise. */
  lateMs: number;
  /** Of the worst minute: of the whole attack where that was shorter. */
  journalMiB: number;
  /** Of liars that told a lie no honest instance tells. */
  liars: readonly LiarFigures[];
  /** Honest instances that were drained, quarantined or destroyed. */
  drained: readonly string[];
  /** Containers whose result is not what the instance that ran them said. */
  forged: readonly string[];
  /** Containers of honest instances that ended well while there were liars. */
  honestResults: number;
  /** Of a stranger on the API. */
  attacks: number;
  /** Answers of the API that are faults of the daemon. */
  faults: readonly string[];
  /** The daemon's, or of the run itself: nothing else counts then. */
  failure?: string;
}

export interface LiarFigures {
  id: string;
  /** The first lie that it is to be quarantined for; `undefined`: it had no occasion to tell one. */
  lie: string | undefined;
  /** From that lie; `undefined`: it was not quarantined. */
  quarantinedAfterMs: number | undefined;
  because: string;
}

/** The bounds, in the order of {@link partsOf}. */
export const bounds = {
  memoryMiB: 64,
  turnMs: 100,
  lateMs: 2_000,
  journalMiB: 1,
  quarantineMs: 60_000,
} as const;

/** One thing that has to be so, of one seed. */
export interface Part {
  name: 'memory' | 'turn' | 'late' | 'journal' | 'quarantine' | 'drained' | 'forged' | 'work' | 'api' | 'run';
  isWell: boolean;
  text: string;
}

/** Every part, whether it is well or not. */
export function partsOf(figures: SeedFigures): Part[] {
  const { memoryMiB, turnMs, lateMs, journalMiB, drained, forged, honestResults, faults, failure } = figures;
  const part = (name: Part['name'], isWell: boolean, text: string): Part => ({ name, isWell, text });
  if (failure !== undefined) return [part('run', false, failure)];
  return [
    part('memory', memoryMiB <= bounds.memoryMiB, `${memoryMiB.toFixed(1)} MiB above the quiet daemon`),
    part('turn', turnMs <= bounds.turnMs, `a turn of ${turnMs.toFixed(0)} ms`),
    part('late', lateMs <= bounds.lateMs, `an honest result ${(lateMs / 1_000).toFixed(2)} s late`),
    part('journal', journalMiB <= bounds.journalMiB, `${journalMiB.toFixed(2)} MiB of journal a minute`),
    ...figures.liars.map((liar) => part('quarantine', isQuarantined(liar), quarantineText(liar))),
    part('drained', drained.length === 0, `honest instances that suffered: ${drained.join('; ') || 'none'}`),
    part('forged', forged.length === 0, `forged results: ${forged.join('; ') || 'none'}`),
    part('work', honestResults > 0, `${honestResults} honest results`),
    part('api', faults.length === 0, `faults of the API: ${faults.slice(0, 3).join('; ') || 'none'}`),
  ];
}

function isQuarantined({ lie, quarantinedAfterMs, because }: LiarFigures): boolean {
  if (lie === undefined) return true;
  return quarantinedAfterMs !== undefined && quarantinedAfterMs <= bounds.quarantineMs && because !== '';
}

function quarantineText({ id, lie, quarantinedAfterMs, because }: LiarFigures): string {
  if (lie === undefined) return `${id} had no occasion to lie`;
  if (quarantinedAfterMs === undefined) return `${id} is not quarantined for ${lie}`;
  return `${id} quarantined ${(quarantinedAfterMs / 1_000).toFixed(1)} s after ${lie}: ${because || 'no reason'}`;
}

/** The verdict over all seeds with their worst figures: one line, and whether all is well. */
export function verdictOf(all: readonly SeedFigures[], wanted: number): { isWell: boolean; text: string } {
  const ran = all.filter(({ failure }) => failure === undefined);
  const worst = (of: (each: SeedFigures) => number): number => Math.max(0, ...ran.map(of));
  const bad = all.filter((each) => partsOf(each).some(({ isWell }) => !isWell));
  const liars = ran.flatMap((each) => each.liars).filter(({ lie }) => lie !== undefined);
  const slowest = Math.max(0, ...liars.map(({ quarantinedAfterMs = 0 }) => quarantinedAfterMs));
  const inTime = liars.filter(isQuarantined).length;
  const sum = (of: (each: SeedFigures) => number): number => ran.reduce((total, each) => total + of(each), 0);
  const figures = [
    `memory +${worst(({ memoryMiB }) => memoryMiB).toFixed(1)} MiB of ${bounds.memoryMiB}`,
    `turn ${worst(({ turnMs }) => turnMs).toFixed(0)} ms of ${bounds.turnMs}`,
    `honest result ${(worst(({ lateMs }) => lateMs) / 1_000).toFixed(2)} s late of ${bounds.lateMs / 1_000}`,
    `journal ${worst(({ journalMiB }) => journalMiB).toFixed(2)} MiB/min of ${bounds.journalMiB}`,
    `${inTime} of ${liars.length} liars quarantined, the slowest after ${(slowest / 1_000).toFixed(1)} s of ${bounds.quarantineMs / 1_000}`,
    `${sum(({ drained }) => drained.length)} honest drained`,
    `${sum(({ forged }) => forged.length)} forged`,
    `${sum(({ honestResults }) => honestResults)} honest results`,
    `${sum(({ attacks }) => attacks)} attacks on the API`,
  ];
  const isWell = bad.length === 0 && all.length >= wanted && liars.length > 0;
  const count = `${all.length - bad.length} of ${wanted} seeds held`;
  const which = bad.length === 0 ? '' : `; failed: ${bad.map(({ seed }) => seed).join(', ')}`;
  return { isWell, text: `${isWell ? 'passed' : 'failed'}: ${count}; ${figures.join('; ')}${which}` };
}
