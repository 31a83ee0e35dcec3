// See scripts/liars.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { partsOf, verdictOf, type SeedFigures } from '../test/liars/judge.js';
import { playSeed } from '../test/liars/play-seed.js';
import { startWatchdog } from './watched.mjs';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    minutes: { type: 'string', default: '5' },
    first: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '3' },
    verbose: { type: 'boolean', default: false },
  },
});
const [seeds, minutes, first, jobs] = [values.seeds, values.minutes, values.first, values.jobs].map(Number);
if (![seeds, minutes, first, jobs].every((value) => value! > 0)) {
  console.log('liars: failed: --seeds, --minutes, --first and --jobs take numbers above 0');
  process.exit(2);
}

const watchdog = startWatchdog();
const folder = mkdtempSync(join(tmpdir(), 'longshore-liars-'));
watchdog.folder(folder);
const abort = new AbortController();
const timer = setTimeout(() => abort.abort(), minutes! * 60_000);

function report(figures: SeedFigures, tookMs: number): void {
  const parts = partsOf(figures);
  const bad = parts.filter(({ isWell }) => !isWell);
  const head = `${bad.length === 0 ? 'ok    ' : 'FAILED'} seed ${figures.seed} (${Math.round(tookMs / 1_000)} s)`;
  console.log(`${head}: ${figures.plan}`);
  for (const { text } of values.verbose ? parts : bad) console.log(`       ${text}`);
}

const all: SeedFigures[] = [];
const waiting = Array.from({ length: seeds! }, (_, index) => first! + index);
const lane = async (): Promise<void> => {
  for (let seed = waiting.shift(); seed !== undefined && !abort.signal.aborted; seed = waiting.shift()) {
    const beganAt = Date.now();
    const own = join(folder, `seed-${seed}`);
    mkdirSync(own);
    const figures = await playSeed(seed, {
      folder: own,
      onStarted: (child) => watchdog.process(child),
      signal: abort.signal,
    });
    if (abort.signal.aborted && figures.failure !== undefined) return;
    all.push(figures);
    report(figures, Date.now() - beganAt);
    rmSync(own, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
};
await Promise.all(Array.from({ length: Math.min(jobs!, seeds!) }, lane));
clearTimeout(timer);
await watchdog.close();
const { isWell, text } = verdictOf(all, seeds!);
const late =
  all.length < seeds! ? `; only ${all.length} of ${seeds} seeds were played in ${minutes} minutes` : '';
console.log(`liars: ${text}${late}`);
process.exit(isWell ? 0 : 1);
