// Every kind of host in the zoo, crossed with all that is done with a host, against the built daemon.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Kind } from '../test/zoo/kind.js';
import { kinds } from '../test/zoo/kinds.js';
import { whyNoZoo } from '../test/zoo/namespaces.js';
import { casesOf, missingFor, playKind, type CaseResult } from '../test/zoo/play.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: '6' },
    /** The daemon from its sources: no build is needed. */
    source: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    /** Folder for the logs of daemons whose cases failed. */
    logs: { type: 'string', default: '' },
  },
});

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const program = values.source
  ? [process.execPath, '--import', 'tsx', here('../src/main.ts')]
  : [process.execPath, here('../dist/main.js')];
if (values.logs !== '') mkdirSync(values.logs, { recursive: true });
const abort = new AbortController();
let exitCode = 0;

/** Whatever ends this, hosts and daemons end with it: by the signal here, or as children that die with their parent. */
function endBy(code: number): void {
  exitCode = code;
  abort.abort();
  // They are ended by the kernel if closing them hangs.
  setTimeout(() => process.exit(code), 10_000).unref();
}
process.on('SIGINT', () => endBy(130));
process.on('SIGTERM', () => endBy(143));
process.on('SIGHUP', () => endBy(129));
process.stdout.on('error', () => endBy(141));

function say(text: string): void {
  if (process.stdout.writable) process.stdout.write(`${text}\n`);
}

async function playAll(chosen: readonly Kind[]): Promise<CaseResult[]> {
  const waiting = [...chosen];
  const all: CaseResult[] = [];
  const worker = async (): Promise<void> => {
    for (let kind = waiting.shift(); kind && !abort.signal.aborted; kind = waiting.shift()) {
      const { results, log } = await playKind(kind, program, abort.signal);
      if (abort.signal.aborted) return;
      all.push(...results);
      report(kind, results);
      const hasFault = results.some(({ fault }) => fault !== undefined);
      if (hasFault && values.logs !== '')
        writeFileSync(`${values.logs}/${kind.name.replaceAll(/\W+/g, '-')}.log`, log);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  return all;
}

function report(kind: Kind, results: readonly CaseResult[]): void {
  const failed = results.filter(({ fault }) => fault !== undefined);
  const seconds = Math.round(results.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1_000);
  const outcome = kind.outcome.is;
  say(
    `${failed.length === 0 ? 'ok    ' : 'FAILED'} ${kind.name} (${outcome}, ${seconds} s): ${results.length - failed.length} of ${results.length}`,
  );
  for (const { name, fault } of failed) say(`       ${name}: ${fault}`);
}

async function main(): Promise<void> {
  const reason = whyNoZoo();
  if (reason !== undefined) {
    say(`skipped: ${reason}`);
    say('0 of 0 cases as they should be');
    return;
  }
  const pattern = new RegExp(values.only);
  const chosen = kinds.filter(({ name }) => pattern.test(name));
  if (values.list) return chosen.forEach((kind) => say(`${kind.name}: ${kind.outcome.is}`));
  const lacking = chosen.filter((kind) => missingFor(kind) !== undefined);
  for (const kind of lacking) say(`skipped ${kind.name}: ${missingFor(kind)} is not installed`);
  const results = await playAll(chosen.filter((kind) => !lacking.includes(kind)));
  if (abort.signal.aborted) return;
  const expected = chosen
    .filter((kind) => !lacking.includes(kind))
    .reduce((sum, kind) => sum + casesOf(kind).length, 0);
  const good = results.filter(({ fault }) => fault === undefined).length;
  if (good !== expected) exitCode = 1;
  say(`${good} of ${expected} cases as they should be`);
}

await main();
process.exitCode = exitCode;
