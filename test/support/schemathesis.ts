import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTool } from './tools.js';

/** Where `scripts/test` installs it under CI. */
const installed = fileURLToPath(new URL('../../.cache/schemathesis/bin/schemathesis', import.meta.url));
export const missingSchemathesis =
  'schemathesis is not installed: pip install schemathesis==4.32.5, or CI=true scripts/test';

/** The program, or `undefined`. */
export function findSchemathesis(): string | undefined {
  return existsSync(installed) ? installed : findTool('schemathesis');
}

export interface FuzzOptions {
  url: string;
  token: string;
  /** A file with the OpenAPI document; what the run leaves is beside it. */
  document: string;
  seed: number;
}

/** What one run found; `report` is for people. */
export interface FuzzRun {
  exitCode: number | null;
  cases: number;
  operations: number;
  report: string;
}

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
  'positive_data_acceptance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
];

/** A refused body may as well be too large. What is kept of a run, as records of what failed, goes to `folder`. */
const configurationFor = (folder: string): string => `
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 429]
[cache]
directory = ${JSON.stringify(folder)}
`;

/** Makes requests from the document, valid and invalid ones, and compares the answers with it; streams are left out. */
export async function fuzz(program: string, { url, token, document, seed }: FuzzOptions): Promise<FuzzRun> {
  const folder = dirname(document);
  const config = join(folder, 'schemathesis.toml');
  await writeFile(config, configurationFor(join(folder, 'schemathesis')));
  const args = [
    ...['--config-file', config, 'run', document, '--url', url, '--header', `Authorization: Bearer ${token}`],
    ...['--exclude-path-regex', 'events$', '--phases', 'coverage,fuzzing'],
    // With more workers Python 3.11 fails at times: "AST constructor recursion depth mismatch".
    ...['--max-examples', '10', '--seed', String(seed), '--workers', '1', '--request-timeout', '20'],
    ...['--checks', checks.join(','), '--continue-on-failure', '--no-shrink', '--warnings', 'off'],
    ...['--generation-database', 'none'],
  ];
  const child = spawn(program, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', NO_COLOR: '1' },
  });
  let report = '';
  const add = (chunk: Buffer): void => void (report = (report + chunk.toString()).slice(-20_000));
  child.stdout.on('data', add);
  child.stderr.on('data', add);
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const cases = Number(/(\d+) generated/.exec(report)?.[1] ?? 0);
  const operations = Number(/Tested:\s+(\d+)/.exec(report)?.[1] ?? 0);
  return { exitCode, cases, operations, report };
}
