import type { Figures } from './figures.js';
import type { Series } from './series.js';
import type { Violation } from '../violation.js';

/** One configuration and what it came to. */
export interface ForecastRun {
  /** Path of the configuration, as given. */
  config: string;
  figures: Figures;
  series: Series;
  violations: readonly Violation[];
  journalHash: string;
  wallMs: number;
}

export interface Forecast {
  workload: string;
  seed: number;
  hours: number;
  notes: readonly string[];
  runs: ForecastRun[];
}
