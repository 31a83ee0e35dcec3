// The scenario "stores" of scripts/bench: both stores on this machine, every commit durable.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../src/domain/clock.js';
import { noConstraints } from '../src/domain/container.js';
import type { ContainerRequest } from '../src/queue/container-store.js';
import { openDatabase } from '../src/queue/store/database.js';
import { SqlContainerStore } from '../src/queue/store/sql-container-store.js';
import type { StoreTarget } from '../src/queue/store/store-url.js';
import { postgresBin, startPostgres } from '../test/support/postgres.js';

const request: ContainerRequest = {
  name: 'bench',
  command: ['true'],
  env: {},
  image: '',
  cwd: '',
  constraints: noConstraints,
  scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
  tmpMountBytes: 0,
  priority: 1n,
  maxAttempts: 1,
  idempotencyKey: '',
};
const needs = { vcpus: 1, ramBytes: 0, scratchBytes: 0, gpus: 0, gpuVramBytes: 0 };

const round = (value: number): number => Math.round(value * 100) / 100;

function median(values: number[]): number {
  return round(values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return round(performance.now() - from);
}

async function measure(name: string, target: StoreTarget): Promise<void> {
  const db = await openDatabase(target);
  const store = new SqlContainerStore({
    db,
    clock: systemClock,
    clusterId: 'bench',
    randomBytes: () => randomBytes(15),
    size: () => ({ needs, instanceTypes: [] }),
    maxDispatchAttempts: 0,
    writer: 'bench',
    patienceMs: 5_000,
    onFault: (uuid, error) => {
      throw new Error(uuid, { cause: error });
    },
  });
  await store.update();
  const tenThousand = Array.from({ length: 10_000 }, () => request);
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const submitMs = await timed(() => store.submit(tenThousand));
  loop.disable();
  for (let more = 1; more < 10; more++) await store.submit(tenThousand);
  const uuids = [...store.entries().entries.keys()].slice(0, 4_000);
  const alone: number[] = [];
  for (const uuid of uuids.slice(0, 100)) alone.push(await timed(() => store.lock(uuid)));
  const manyMs = await timed(() => Promise.all(uuids.slice(100).map((uuid) => store.lock(uuid))));
  const pages: number[] = [];
  for (let page = 0; page < 20; page++)
    pages.push(await timed(() => store.list({ limit: 100, states: ['Queued'] })));
  const figures = {
    submitTenThousandMs: submitMs,
    submitGoalMs: 2_000,
    longestBlockMs: round(loop.max / 1e6),
    oneChangeMs: median(alone),
    changesPerSecond: Math.round(((uuids.length - 100) / manyMs) * 1_000),
    pageOfHundredThousandMs: median(pages),
    pageGoalMs: 20,
  };
  console.log(JSON.stringify({ scenario: `store: ${name}`, ...figures }));
  await store.stop();
  await db.destroy();
}

const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
await measure('embedded', { url: join(folder, 'store.db') });
rmSync(folder, { recursive: true });
const bin = postgresBin();
if (bin === undefined)
  console.log(JSON.stringify({ scenario: 'store: PostgreSQL', skipped: 'it is not installed' }));
else {
  const server = await startPostgres(bin, { isDurable: true });
  await measure('PostgreSQL', { url: server.createDatabase() });
  await server.stop();
}
