// A container that prints a hundred thousand lines a second, followed over the API: what that does to everything else.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ContainerRequest } from '../src/queue/container-store.js';
import { startDaemon, token } from './bench-daemon.js';
import { percentile, print, round, threadTimeMs, until, watchTurns } from './bench-parts.js';

const line = 'a line of a container that has very much to say today';
/** Ten thousand lines at a time, ten times a second, for ten seconds. */
const script = `i=0; while [ $i -lt 100 ]; do yes '${line}' | head -n 10000; i=$((i + 1)); sleep 0.1; done`;
const wholeBytes = 1_000_000 * (line.length + 1);

/** With a limit that cuts it off at once, as by default, and with one that all of it fits in, so that all is sent on. */
export async function benchLogs(folder: string, request: ContainerRequest): Promise<void> {
  for (const limit of ['1MiB', '64MiB']) await flood(join(folder, limit), limit, request);
}

async function flood(folder: string, limit: string, request: ContainerRequest): Promise<void> {
  const more = `
instanceTypes: { small: { vcpus: 64, ram: 64GiB, includedScratch: 64GiB, price: 0.1 } }
runner: { deployDirectory: ${join(folder, 'runner')}, logLimit: ${limit} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0 }`;
  const daemon = await startDaemon(folder, more);
  const { store, pool } = daemon;
  // The instance is there before it counts.
  const [first] = await store.submit([request]);
  await until(async () => (await store.find(first!.uuid))?.state === 'Complete');
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const turns = watchTurns();
  delay.enable();
  const from = { at: performance.now(), thread: threadTimeMs() };
  const [record] = await store.submit([{ ...request, command: ['sh', '-c', script] }]);
  const { uuid } = record!;
  const following = follow(`${daemon.url}/v1/containers/${uuid}/logs?stream=stdout&follow=1`);
  const answers: number[] = [];
  await until(async () => {
    const at = performance.now();
    await fetch(`${daemon.url}/v1/instances`, { headers });
    answers.push(performance.now() - at);
    return (await store.find(uuid))?.state === 'Complete';
  });
  const seconds = (performance.now() - from.at) / 1_000;
  const bytes = await following;
  delay.disable();
  turns.stop();
  const kept = (await store.output(uuid))!.stdout.length;
  print(`a container prints 1,000,000 lines, kept up to ${limit}; longest time without a turn, ms`, {
    max: round(delay.max / 1e6),
    p99: round(delay.percentile(99) / 1e6),
    maxOfProcessor: round(turns.max()),
    answerP99: percentile(answers, 0.99),
    linesPerSecond: Math.round(1_000_000 / seconds),
    processorPercent: Math.round((threadTimeMs() - from.thread) / 10 / seconds),
    megabytesPrinted: round(wholeBytes / 2 ** 20),
    megabytesFollowed: round(bytes / 2 ** 20),
    megabytesKept: round(kept / 2 ** 20),
    megabytesOfStore: round(sizeOf(join(folder, 'state'))),
  });
  const known = new Set(pool.instances().map(({ instanceId }) => instanceId));
  for (const instanceId of known) pool.killInstance(instanceId, 'bench is over');
  await until(() => Promise.resolve(pool.instances().length === 0));
  await daemon.stop();
}

const headers = { authorization: `Bearer ${token}` };

/** How many bytes came, until the end. */
async function follow(url: string): Promise<number> {
  const response = await fetch(url, { headers });
  if (!response.ok || !response.body) throw new Error(`the output cannot be followed: ${response.status}`);
  let bytes = 0;
  for await (const chunk of response.body) bytes += (chunk as Uint8Array).length;
  return bytes;
}

function sizeOf(folder: string): number {
  const files = readdirSync(folder).filter((name) => name.startsWith('longshore.db'));
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 2 ** 20;
}
