import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Daemon } from '../src/daemon/daemon.js';
import type { ContainerRequest } from '../src/queue/container-store.js';
import { watchTurns } from './bench-parts.js';

type Print = (scenario: string, figures: Record<string, number | string>) => void;

const long = 100_000;
const changingForMs = 5_000;

/** A daemon with a hundred thousand queued containers: pages of the list, and how long nobody else has a turn. */
export async function longQueue(daemon: Daemon, request: ContainerRequest, print: Print): Promise<void> {
  const { store, pool } = daemon;
  // Each fills the one instance there is, so that one runs and the others wait.
  const large = { ...request, command: ['sleep', '600'], constraints: { ...request.constraints, vcpus: 64 } };
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  const turns = watchTurns();
  const uuids: string[] = [];
  const from = performance.now();
  for (let each = 0; each < 10; each++) {
    const records = await store.submit(Array.from({ length: long / 10 }, () => large));
    uuids.push(...records.map(({ uuid }) => uuid));
  }
  const submitMs = performance.now() - from;
  const submitBlockMs = delay.max / 1e6;
  const submitTurnMs = turns.max();
  while (pool.countWorkers().running === 0) await pause(50);
  await pause(1_000);
  delay.reset();
  turns.reset();
  const pages: number[] = [];
  const until = performance.now() + changingForMs;
  for (let index = 0, after: string | undefined; performance.now() < until; index++) {
    // A change of the queue, and so a pass.
    await store.setPriority(uuids[(index * 7_919) % long]!, BigInt(1 + (index % 9)));
    const at = performance.now();
    const page = await store.list({ limit: 100, ...(after === undefined ? {} : { after }) });
    pages.push(performance.now() - at);
    after = page.next;
    await pause(20);
  }
  delay.disable();
  turns.stop();
  pages.sort((a, b) => a - b);
  const share = (part: number): number => Math.round(pages[Math.floor(pages.length * part)]! * 100) / 100;
  print('a page of 100 out of 100,000, ms', { p50: share(0.5), p99: share(0.99), goal: 20 });
  print('longest time without a turn of the event loop at 100,000 queued, ms', {
    max: Math.round(delay.max / 1e6),
    p99: Math.round(delay.percentile(99) / 1e6),
    changes: pages.length,
    submitMs: Math.round(submitMs),
    maxOfProcessor: Math.round(turns.max()),
    whileSubmitting: Math.round(submitBlockMs),
    whileSubmittingOfProcessor: Math.round(submitTurnMs),
    goal: 50,
  });
  // Another one is asked for at once, since the queue is as long as before.
  const known = new Set(pool.instances().map(({ instanceId }) => instanceId));
  for (const instanceId of known) pool.killInstance(instanceId, 'bench is over');
  while (pool.instances().some(({ instanceId }) => known.has(instanceId))) await pause(50);
}
