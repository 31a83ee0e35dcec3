import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ForecastOptions } from '../simulation/forecast/forecast.js';
import { ClientError, type ConnectionOptions } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable, startProgress } from './output.js';
import type { Forecast } from '../simulation/forecast/forecast-result.js';

/** Parts of the simulation, loaded on use. */
export interface ForecastParts {
  forecast(options: ForecastOptions): Promise<Forecast>;
  reportOf(result: Forecast): string;
  tables: {
    summaryRows(runs: readonly Forecast['runs'][number]['figures'][]): string[][];
    hourHead: string[];
    hourRows(figures: Forecast['runs'][number]['figures']): string[][];
  };
}

interface SimulateOptions {
  workload: string;
  compare: string[];
  seed?: string;
  hours?: string;
  journal?: string;
  report?: string;
  json?: true;
  byHour?: true;
}

const barWidth = 24;
const longestHours = 8_784;
const help = `
Runs the daemon's own scheduler and statecharts against a simulated provider, on a simulated clock. Contacts no provider
and reads no secret. The same seed gives the same run. A workload is a YAML file or an exported journal (*.jsonl).
Exits with 1 when a run violates an invariant.

Examples:
  longshore --config longshore.yaml simulate --workload burst.yaml
  longshore --config now.yaml simulate --workload past.jsonl --compare bigger.yaml --report out.html`;

/** Adds `simulate`. */
export function addSimulate(
  program: Command,
  { output, setExitCode }: CommandContext,
  { load, env }: { load(): Promise<ForecastParts>; env: NodeJS.ProcessEnv },
): void {
  program
    .command('simulate')
    .description('forecast the cost and waiting times of a workload with this configuration')
    .requiredOption('--workload <file>', 'the workload')
    .option('--compare <file>', 'another configuration; may be repeated', collect, [])
    .option('--seed <n>', 'the same seed gives the same run')
    .option('--hours <n>', 'how long containers arrive; default: set by the workload')
    .option('--by-hour', 'add a table by hour')
    .option('--report <file>', 'write an HTML report with plots')
    .option('--journal <file>', 'write the journal of the first run, for "longshore replay"')
    .option('--json', 'as JSON')
    .addHelpText('after', help)
    .action(async (options: SimulateOptions, command: Command) => {
      const first = command.optsWithGlobals<ConnectionOptions>().config ?? env['LONGSHORE_CONFIG'];
      if (first === undefined)
        throw new ClientError('no configuration given: longshore --config FILE simulate …', 2);
      const seed = numberOf('--seed', options.seed ?? '1', 0, Number.MAX_SAFE_INTEGER);
      const { hours: given, report, journal } = options;
      const { forecast, reportOf, tables } = await load();
      const progress = startProgress(output, 'simulating');
      let result: Forecast;
      try {
        result = await forecast({
          configPaths: [first, ...options.compare],
          workloadPath: options.workload,
          seed,
          env,
          ...(given === undefined ? {} : { hours: numberOf('--hours', given, 0.01, longestHours) }),
          ...(journal === undefined ? {} : { journalPath: journal }),
          onProgress: ({ config, share, elapsedMs }) => (progress.text = barOf(config, share, elapsedMs)),
        });
      } finally {
        progress.stop();
      }
      if (report !== undefined) writeFileSync(report, reportOf(result));
      if (options.json) printJson(output, withoutSeries(result));
      else {
        const { runs } = result;
        const columns = [
          { head: '', priority: 2, least: 20 },
          ...runs.map(({ config }) => ({ head: config })),
        ];
        printTable(output, columns, tables.summaryRows(runs.map(figures)));
        for (const run of options.byHour ? runs : []) {
          output.write(`\n${run.config}\n`);
          printTable(output, tables.hourHead, tables.hourRows(run.figures));
        }
      }
      for (const note of result.notes) output.error(`${note}\n`);
      for (const { config, violations } of result.runs) {
        for (const { rule, what } of violations) output.error(`${config}: ${rule}: ${what}\n`);
      }
      if (report !== undefined) output.error(`wrote ${report}\n`);
      setExitCode(result.runs.every(({ violations }) => violations.length === 0) ? 0 : 1);
    });
}

const figures = (run: Forecast['runs'][number]): Forecast['runs'][number]['figures'] => run.figures;

/** The points of plots are left out; only the report has them. */
function withoutSeries({ runs, ...rest }: Forecast): unknown {
  return { ...rest, runs: runs.map(({ series: _series, ...run }) => run) };
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new ClientError(`${option}: "${text}" is not a number from ${least} to ${most}`, 2);
}

function barOf(config: string, share: number, elapsedMs: number): string {
  const filled = Math.round(Math.min(1, share) * barWidth);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
  return `${config}  ${bar} ${Math.round(share * 100)} %, ${(elapsedMs / 3_600_000).toFixed(1)} h`;
}
