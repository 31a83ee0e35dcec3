import { closeSync, openSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { loadConfig } from '../../config/load.js';
import type { JournalEntry } from '../../journal/journal.js';
import { simulate, type SimulationResult } from '../simulate.js';
import { figuresOf } from './figures.js';
import { MilestoneBook } from './milestones.js';
import { reportPage } from './report.js';
import { seriesOf } from './series.js';
import { loadWorkload } from './workload-file.js';
import type { ForecastRun, Forecast } from './forecast-result.js';

export interface ForecastOptions {
  /** One, or two to be compared. */
  configPaths: readonly string[];
  workloadPath: string;
  seed: number;
  /** In place of what the workload says. */
  hours?: number;
  /** Where the journal of the first run goes, as JSON lines. */
  journalPath?: string;
  env: NodeJS.ProcessEnv;
  onProgress(progress: { config: string; share: number; elapsedMs: number }): void;
  signal?: AbortSignal;
}

/**
 * Runs the daemon's own core over the workload in a simulated world, once for each configuration, the same work and the
 * same luck for each. Talks to no provider and needs none of the secrets. Rejects with `ConfigError` for files that will
 * not do.
 */
export async function forecast(options: ForecastOptions): Promise<Forecast> {
  const { workloadPath, seed, configPaths, env } = options;
  // No secret is read, so that none is needed.
  const configs = configPaths.map((path) => loadConfig(path, env, []));
  const plan = await loadWorkload(workloadPath, seed);
  const hours = options.hours ?? plan.hours;
  const runs: ForecastRun[] = [];
  for (const [index, config] of configs.entries()) {
    const path = configPaths[index]!;
    const journal =
      index === 0 && options.journalPath !== undefined ? new LineFile(options.journalPath) : undefined;
    const milestones = new MilestoneBook();
    try {
      const result = await simulate({
        config: { ...config, dispatchPrivateKey: '' },
        workload: plan.workload,
        world: plan.world,
        seed,
        hours,
        untilDone: true,
        onProgress: ({ elapsedMs, untilMs }) =>
          options.onProgress({ config: path, share: elapsedMs / untilMs, elapsedMs }),
        onEntry: (entry) => {
          milestones.note(entry);
          journal?.write(entry);
        },
        ...(options.signal ? { signal: options.signal } : {}),
      });
      runs.push(runOf(path, result, milestones));
    } finally {
      journal?.close();
    }
  }
  return { workload: basename(workloadPath), seed, hours, notes: plan.notes, runs };
}

function runOf(config: string, result: SimulationResult, milestones: MilestoneBook): ForecastRun {
  const { violations, journalHash, wallMs } = result;
  const figures = figuresOf(result, (id) => milestones.of(id));
  return { config, figures, series: seriesOf(result), violations, journalHash, wallMs };
}

/** The forecast as one file for a browser, which needs nothing else. */
export function reportOf(result: Forecast): string {
  return reportPage(result);
}

const bufferedBytes = 65_536;

/** Entries as lines of JSON, many in one write. */
class LineFile {
  readonly #file: number;
  #text = '';

  constructor(path: string) {
    this.#file = openSync(path, 'w', 0o600);
  }

  write(entry: JournalEntry): void {
    this.#text += `${JSON.stringify(entry)}\n`;
    if (this.#text.length > bufferedBytes) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#text);
    this.#text = '';
  }
}
