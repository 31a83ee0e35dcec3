// Scenarios of scripts/bench. Percentiles and ratios of one run on one machine: compare, do not quote alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { compose, type Daemon } from '../src/daemon/daemon.js';
import { parseConfig } from '../src/config/load.js';
import { ensureSecrets } from '../src/config/secrets.js';
import { systemClock } from '../src/domain/clock.js';
import { noConstraints } from '../src/domain/container.js';
import type { InstanceType } from '../src/domain/instance-type.js';
import { createLog } from '../src/observability/log.js';
import { initialPlanMemory } from '../src/policy/container-limit.js';
import { plan } from '../src/policy/plan.js';
import { longQueue } from './bench-long-queue.js';
import { percentile, print, round, typeOf, until } from './bench-parts.js';
import { benchSync } from './bench-sync.js';
import { benchWorkers } from './bench-workers.js';
import type { ContainerRequest } from '../src/queue/container-store.js';
import { generateKeyPair } from '../src/ssh/keys.js';
import { startSshServer } from '../src/ssh/server.js';
import { createExecutorFactory } from '../src/ssh/ssh-executor.js';
import type { InstanceView } from '../src/domain/instance-view.js';
import type { QueueEntry } from '../src/domain/queue-entry.js';

const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
const only = process.argv[2];

async function startDaemon(): Promise<Daemon> {
  const text = `
clusterId: bench
stateDir: ./state
driver: loopback
driverParameters: { maxInstances: 2 }
instanceTypes: { small: { vcpus: 64, ram: 64GiB, includedScratch: 64GiB, price: 0.1 } }
pool: { bootProbeCommand: 'true', maxInstances: 1 }
runner: { deployDirectory: ${join(folder, 'runner')} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0 }
api: { listen: '127.0.0.1:0' }
logLevel: silent`;
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'bench.yaml'), env: process.env }));
  return compose({ config, clock: systemClock, log: createLog('silent') });
}

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

/** Real containers on a loopback instance, with the default waits. */
async function daemon(): Promise<void> {
  const running = await startDaemon();
  const submittedAt = Date.now();
  const [first] = await running.store.submit([{ ...request, command: ['sleep', '0.01'] }]);
  await until(async () => (await running.store.find(first!.uuid))?.state === 'Complete');
  const story = await running.journal.read({});
  const at = (kind: string, to?: string): number =>
    story.find((entry) => entry.kind === kind && (to === undefined || entry.to === to))?.at ?? 0;
  print('boot', {
    what: 'SSH answers to first container started, ms',
    ms: at('container.started') - at('worker.transition', 'booting.connected'),
    submitToStartedMs: at('container.started') - submittedAt,
  });
  const starts: number[] = [];
  const ends: number[] = [];
  for (let round = 0; round < 60; round++) {
    const queuedAt = Date.now();
    const [record] = await running.store.submit([{ ...request, command: ['sleep', '0.02'] }]);
    await until(async () => (await running.store.find(record!.uuid))?.state === 'Complete');
    const knownAt = Date.now();
    const done = (await running.store.find(record!.uuid))!;
    const [started] = await running.journal.read({ container: record!.uuid, kind: 'plan.start' });
    starts.push((started?.at ?? queuedAt) - queuedAt);
    ends.push(knownAt - (done.finishedAt ?? knownAt));
  }
  print('queued to start command, ms', {
    p50: percentile(starts, 0.5),
    p99: percentile(starts, 0.99),
    goal: 50,
  });
  print('exit to result in the queue, ms', {
    p50: percentile(ends, 0.5),
    p99: percentile(ends, 0.99),
    goal: 100,
  });
  for (const { instanceId } of running.pool.instances())
    running.pool.killInstance(instanceId, 'bench is over');
  await until(() => Promise.resolve(running.pool.instances().length === 0));
  await running.stop();
}

/** A command on an open connection, against ssh2 without anything around it. */
async function executor(): Promise<void> {
  const login = generateKeyPair();
  const server = await startSshServer({
    host: '127.0.0.1',
    port: 0,
    hostKey: generateKeyPair().privateKey,
    authorizedKeys: [login.publicKey],
    run: () => Promise.resolve(0),
  });
  const signal = new AbortController().signal;
  const ours = createExecutorFactory({
    privateKey: login.privateKey,
    defaultPort: '22',
    connectTimeoutMs: 5_000,
    keepaliveIntervalMs: 0,
    clock: systemClock,
    maxHandshakes: 4,
    maxChannels: 4,
  })({ address: `127.0.0.1:${server.port}`, remoteUser: 'root' }, () => Promise.resolve(), {
    connected: () => {},
    verified: () => {},
    lost: () => {},
  });
  const bare = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    bare.on('ready', resolve).on('error', reject);
    const sock = connect({ host: '127.0.0.1', port: server.port, noDelay: true });
    bare.connect({ sock, username: 'root', privateKey: login.privateKey });
  });
  const runBare = (): Promise<void> =>
    new Promise((resolve, reject) =>
      bare.exec('true', (error, channel) => {
        if (error) return reject(error);
        channel.on('close', () => resolve()).resume();
        channel.stderr.resume();
        channel.end();
      }),
    );
  const runOurs = (): Promise<unknown> => ours.run('true', { timeoutMs: 5_000, signal });
  const ratios: number[] = [];
  const time = async (run: () => Promise<unknown>): Promise<number> => {
    const from = performance.now();
    for (let each = 0; each < 300; each++) await run();
    return performance.now() - from;
  };
  await time(runBare);
  await time(runOurs);
  for (let pair = 0; pair < 7; pair++) ratios.push((await time(runOurs)) / (await time(runBare)));
  print('command on an open connection, ours against bare ssh2', {
    ratio: percentile(ratios, 0.5),
    goal: 1.5,
  });
  bare.end();
  await ours.close();
  await server.close();
}

/** One scheduling pass over a long queue. */
function planning(): Promise<void> {
  const types: InstanceType[] = [1, 2, 4, 8, 16].map((vcpus) => typeOf(vcpus));
  const entries = new Map<string, QueueEntry>();
  for (let index = 0; index < 100_000; index++) {
    const shape = index % 50;
    const vcpus = 1 + (shape % 16);
    const uuid = `bench-dz642-${String(index).padStart(15, '0')}`;
    const needs = { vcpus, ramBytes: 2 ** 28 + shape, scratchBytes: 0, gpus: 0, gpuVramBytes: 0 };
    entries.set(uuid, {
      container: {
        uuid,
        state: 'Queued',
        priority: BigInt(1_000 - (index % 7)),
        constraints: noConstraints,
        scheduling: request.scheduling,
        image: '',
        tmpMountBytes: 0,
        createdAt: index,
      },
      needs,
      instanceTypes: types.filter((type) => type.vcpus >= vcpus),
      firstSeenAt: index,
    });
  }
  const instances: InstanceView[] = Array.from({ length: 1_000 }, (_, index) => ({
    instanceId: `i-${index}`,
    launchId: '',
    address: '',
    instanceType: types[index % types.length]!,
    workerState: 'idle',
    bootStage: undefined,
    idleBehavior: 'run',
    lastContainerUuid: '',
    lastBusyAt: index,
    appearedAt: index,
    served: 0,
    containerUuids: [],
  }));
  const input = {
    now: 1,
    entries,
    instances,
    running: new Map(),
    limits: {
      atQuota: false,
      atCapacity: () => false,
      isOnTrial: () => false,
      creatable: 100,
      createHeldUntil: undefined,
    },
    settings: { supervisorFraction: 0.5, maxRunningContainersPerInstance: 0 },
    memory: initialPlanMemory({ initialQuotaEstimate: 0 }, 0),
    last503At: 0,
    totalInstances: 1_000,
  };
  const times: number[] = [];
  for (let round = 0; round < 8; round++) {
    const from = performance.now();
    plan({ ...input, memory: { ...input.memory, maxContainers: 2_000 } });
    times.push(performance.now() - from);
  }
  print('plan of 100,000 queued over 1,000 instances, ms', {
    p50: percentile(times.slice(1), 0.5),
    goal: 100,
  });
  return Promise.resolve();
}

/** Ten thousand containers in one request. */
async function store(): Promise<void> {
  const { store: containers, stop } = await startDaemon();
  const from = performance.now();
  const records = await containers.submit(
    Array.from({ length: 10_000 }, () => ({ ...request, priority: 0n })),
  );
  print('10,000 submissions in one request, ms', {
    ms: round(performance.now() - from),
    goal: 2_000,
    records: records.length,
  });
  const pages: number[] = [];
  for (let each = 0; each < 20; each++) {
    const at = performance.now();
    await containers.list({ limit: 100 });
    pages.push(performance.now() - at);
  }
  print('a page of 100 out of 10,000, ms', { p50: percentile(pages, 0.5), goal: 20 });
  await stop();
}

/** The longest queue there may be. */
async function queue(): Promise<void> {
  const running = await startDaemon();
  await longQueue(running, request, print);
  await running.stop();
}

/** The loudest container there may be. */
const logs = async (): Promise<void> => (await import('./bench-logs.js')).benchLogs(folder, request);

const workers = async (): Promise<void> => print('1,000 idle workers', await benchWorkers());

/** A fleet of 10,000 taken into the roster, by a daemon that just started and later. */
async function sync(): Promise<void> {
  const { first, later } = await benchSync();
  print('10,000 instances into the roster, ms', {
    laterMs: round(later.ms),
    goal: 100,
    laterCpuMs: round(later.cpuMs),
    firstMs: round(first.ms),
    firstCpuMs: round(first.cpuMs),
    firstLongestBlockMs: round(first.longestBlockMs),
    firstLongestOwnBlockMs: round(first.longestOwnBlockMs),
  });
}

/** A fleet of 10,000 on EC2, listed. Beside it what the library's own reader takes for the same pages. */
async function ec2(): Promise<void> {
  const { benchEc2List } = await import('./bench-ec2.js');
  const figures = await benchEc2List();
  if (typeof figures === 'string') return print('list of 10,000 EC2 instances', { skipped: figures });
  const { ours, library, megabytes } = figures;
  print('list of 10,000 EC2 instances, ms', {
    ms: round(ours.ms),
    goal: 2_000,
    cpuMs: round(ours.cpuMs),
    longestBlockMs: round(ours.longestBlockMs),
    longestOwnBlockMs: round(ours.longestOwnBlockMs),
    goalBlockMs: 50,
    libraryMs: round(library.ms),
    libraryLongestBlockMs: round(library.longestBlockMs),
    megabytes: round(megabytes),
  });
}

/** What writing down all that workers do costs. Ratios within this run. */
async function journal(): Promise<void> {
  const { benchJournal } = await import('./bench-journal.js');
  const text = 'clusterId: bench\ndriver: loopback\n';
  const config = parseConfig(text, { path: join(folder, 'bench.yaml'), env: process.env });
  const { thread, process: all, ...rates } = await benchJournal(folder, config, typeOf(1));
  print('journal, share of the processor time of lives of workers whose effects take no time', {
    storePercent: round(thread.store * 100),
    withReporterPercent: round(thread.told * 100),
    goalPercent: 10,
    storePercentOfAllThreads: round(all.store * 100),
    withReporterPercentOfAllThreads: round(all.told * 100),
    transitionsPerSecond: Math.round(rates.perSecond),
    entriesPerTransition: round(rates.entriesPerTransition),
  });
}

for (const [name, scenario] of Object.entries({
  daemon,
  executor,
  planning,
  store,
  workers,
  queue,
  journal,
  logs,
  sync,
  ec2,
})) {
  if (only === undefined || only === name) await scenario();
}
rmSync(folder, { recursive: true, force: true });
process.exit(0);
