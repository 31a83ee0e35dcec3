// See scripts/failover.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { countByState } from '../src/queue/store/container-reads.js';
import { openDatabase } from '../src/queue/store/database.js';
import { readLease, type Lease } from '../src/leadership/lease-table.js';
import { generateKeyPair } from '../src/ssh/keys.js';
import { postgresBin, startPostgres, type PostgresServer } from '../test/support/postgres.js';
import { startTcpProxy, throughProxy, type TcpProxy } from '../test/support/tcp-proxy.js';
import { startWatchdog } from './watched.mjs';
import { startRemoteCloud, type Order, type RemoteCloud } from './remote-cloud.js';
import type { Store } from '../src/queue/store/schema.js';

const kinds = ['kill -9', 'stop, continue', 'cut off'] as const;
type Kind = (typeof kinds)[number];

interface Daemon {
  name: string;
  proxy: TcpProxy;
  child: ChildProcess;
  start(): ChildProcess;
  stateDir: string;
}

/** When a daemon began to lead, as the store showed it. */
interface Reign {
  name: string;
  from: number;
}

interface Outcome {
  kind: Kind;
  finishedBefore: number;
  takeOverMs: number;
  complete: number;
  started: number;
  twice: number;
  missing: number;
  lateOrders: number;
  instancesLeft: number;
  tookMs: number;
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '2' }, containers: { type: 'string', default: '200' } },
});
const rounds = Number(values.rounds);
const count = Number(values.containers);
const longestRunMs = 240_000;
const longestTakeOverMs = 10_000;
/** Between a change of the lead, or an order, and its being seen here. */
const lagMs = 250;
const token = 'failover';
const rootToken = 'the-same-for-both';
const watchdog = startWatchdog();
const key = generateKeyPair().privateKey.trim();

async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs = longestRunMs,
): Promise<T> {
  for (const deadlineAt = Date.now() + withinMs; ;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadlineAt) throw new Error(`${what}: not within ${withinMs / 1_000} s`);
    await pause(25);
  }
}

async function prepareDaemon(
  folder: string,
  name: string,
  url: string,
  cloud: RemoteCloud,
  server: PostgresServer,
): Promise<Daemon> {
  const proxy = await startTcpProxy(server.socket);
  const stateDir = join(folder, name);
  const configPath = join(folder, `${name}.yaml`);
  await mkdir(stateDir);
  await writeFile(
    configPath,
    `clusterId: three
managementToken: ${token}
systemRootToken: ${rootToken}
dispatchPrivateKey: |
${key.replaceAll(/^/gm, '  ')}
stateDir: ${stateDir}
store: ${throughProxy(url, proxy)}
driver: loopback
instanceTypes: { big: { vcpus: 8, ram: 8GiB, includedScratch: 1GiB, price: 0.1 } }
pool: { bootProbeCommand: 'true', maxInstances: 4, maxConcurrentCreates: 4, maxCloudOpsPerSecond: 0, syncInterval: 1s, probeInterval: 500ms, timeoutIdle: 2s }
runner: { deployDirectory: ${join(folder, 'runner')} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, staleLockTimeout: 5s, pollInterval: 2s }
api: { listen: '127.0.0.1:0' }
`,
  );
  const start = (): ChildProcess => {
    const script = fileURLToPath(new URL('failover-daemon.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, configPath, cloud.url, name], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.pipe(createWriteStream(join(folder, `${name}.log`), { flags: 'a' }));
    return child;
  };
  return { name, proxy, stateDir, start, child: start() };
}

async function submit(daemon: Daemon, log: string): Promise<void> {
  const address = join(daemon.stateDir, 'api-address');
  const url = await until('the API', () =>
    Promise.resolve(existsSync(address) ? readFileSync(address, 'utf8').trim() || undefined : undefined),
  );
  const containers = Array.from({ length: count }, (_, index) => ({
    command: [
      'sh',
      '-c',
      `echo start ${index} >>${log}; sleep 0.$((${index} % 7 + 2)); echo end ${index} >>${log}`,
    ],
    vcpus: 1,
    ram: '1MiB',
  }));
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ containers });
  await until('the submission', async () => {
    const response = await fetch(`${url}/v1/containers`, { method: 'POST', headers, body });
    return response.ok || undefined;
  });
}

/** Strikes the leader, and undoes it some time after another took over. Returns when the other one leads. */
async function strike(kind: Kind, victim: Daemon, db: Store, before: Lease): Promise<{ takeOverMs: number }> {
  const struckAt = Date.now();
  const gone = new Promise((resolve) => victim.child.once('exit', resolve));
  if (kind === 'kill -9') victim.child.kill('SIGKILL');
  if (kind === 'stop, continue') victim.child.kill('SIGSTOP');
  if (kind === 'cut off') victim.proxy.blackHole();
  await until(
    'the take-over',
    async () => ((await readLease(db)).epoch > before.epoch ? true : undefined),
    60_000,
  );
  const at = Date.now();
  await pause(Math.random() * 3_000);
  if (kind === 'kill -9') {
    await gone;
    victim.child = victim.start();
  }
  if (kind === 'stop, continue') victim.child.kill('SIGCONT');
  if (kind === 'cut off') victim.proxy.heal();
  return { takeOverMs: at - struckAt };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function run(kind: Kind, server: PostgresServer): Promise<Outcome> {
  const beganAt = Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'longshore-failover-'));
  watchdog.folder(folder);
  const cloud = await startRemoteCloud(join(folder, 'cloud'), 4);
  const url = server.createDatabase();
  const db = await openDatabase({ url });
  const daemons: Daemon[] = [];
  let isKept = false;
  let watch: ReturnType<typeof watchReigns> | undefined;
  try {
    for (const name of ['a', 'b']) daemons.push(await prepareDaemon(folder, name, url, cloud, server));
    watch = watchReigns(db, daemons);
    const log = join(folder, 'ran');
    await submit(daemons[Math.floor(Math.random() * 2)]!, log);
    const complete = async (): Promise<number> => (await countByState(db)).Complete;
    const from = Math.floor(Math.random() * count * 0.5);
    const finishedBefore = await until('work under way', async () => {
      const done = await complete();
      return done >= from ? done : undefined;
    });
    await pause(Math.random() * 500);
    const before = await readLease(db);
    const victim = daemons.find(({ child }) => before.holder.endsWith(`:${child.pid}`));
    if (!victim) throw new Error('nobody leads');
    const { takeOverMs } = await strike(kind, victim, db, before);
    await until('all containers', async () => ((await complete()) >= count ? true : undefined));
    await until(
      'no instance',
      async () => ((await cloud.instances()).length === 0 ? true : undefined),
      60_000,
    ).catch(() => {});
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const times = (word: string): number[] =>
      Array.from({ length: count }, (_, index) => lines.filter((line) => line === `${word} ${index}`).length);
    const outcome = {
      kind,
      finishedBefore,
      takeOverMs,
      complete: await complete(),
      started: times('start').filter((n) => n > 0).length,
      twice: times('start').filter((n) => n > 1).length + times('end').filter((n) => n > 1).length,
      missing: times('end').filter((n) => n === 0).length,
      lateOrders: cloud.orders.filter((order) => !wasLeading(watch!.reigns, order)).length,
      instancesLeft: (await cloud.instances()).length,
      tookMs: Date.now() - beganAt,
    };
    isKept = !isGood(outcome);
    return outcome;
  } catch (error) {
    isKept = true;
    throw error;
  } finally {
    await watch?.stop().catch(() => {});
    for (const { child } of daemons) await end(child);
    for (const { proxy } of daemons) await proxy.close();
    await cloud.close();
    await db.destroy();
    watchdog.keep(folder);
    if (isKept) console.log(`the logs of this run are kept in ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Notes who leads until told to stop. Orders are timed by the same clock. */
function watchReigns(db: Store, daemons: Daemon[]): { reigns: Reign[]; stop(): Promise<void> } {
  const reigns: Reign[] = [];
  let epoch = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const lease = await readLease(db);
      const leader = daemons.find(({ child }) => lease.holder.endsWith(`:${child.pid}`));
      if (lease.epoch > epoch && leader) {
        epoch = lease.epoch;
        reigns.push({ name: leader.name, from: Date.now() });
      }
      await pause(20);
    }
  })();
  return {
    reigns,
    stop: () => {
      isOver = true;
      return watching;
    },
  };
}

/** Whether it led when the order came; one may have been under way when the lead changed hands. */
function wasLeading(reigns: readonly Reign[], { by, at }: Order): boolean {
  const present = reigns.findLast(({ from }) => from <= at + lagMs);
  const earlier = reigns.findLast(({ from }) => from <= at - lagMs);
  return by === present?.name || by === earlier?.name;
}

function isGood(outcome: Outcome): boolean {
  const { takeOverMs, complete, started, twice, missing, lateOrders, instancesLeft } = outcome;
  return (
    takeOverMs <= longestTakeOverMs &&
    complete === count &&
    started === count &&
    twice + missing + lateOrders + instancesLeft === 0
  );
}

const bin = postgresBin();
if (bin === undefined) {
  console.log('failover: SKIPPED: PostgreSQL is not installed and could not be');
  await watchdog.close();
  process.exit(1);
}
const server = await startPostgres(bin, { isDurable: true });
watchdog.folder(dirname(server.socket));
const outcomes: Outcome[] = [];
const faults: string[] = [];
console.log(
  'kind            done before  take-over  complete  twice  missing  late orders  instances left  took',
);
try {
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      try {
        const each = await run(kind, server);
        outcomes.push(each);
        const cells = [
          kind.padEnd(15),
          String(each.finishedBefore).padStart(11),
          `${(each.takeOverMs / 1_000).toFixed(1)} s`.padStart(10),
          String(each.complete).padStart(9),
          String(each.twice).padStart(6),
          String(each.missing).padStart(8),
          String(each.lateOrders).padStart(12),
          String(each.instancesLeft).padStart(15),
          `${Math.round(each.tookMs / 1_000)} s`.padStart(5),
        ];
        console.log(cells.join(' ') + (isGood(each) ? '' : '  FAULT'));
      } catch (error) {
        faults.push(`${kind}: ${String(error)}`);
        console.log(`${kind}: ${String(error)}`);
      }
    }
  }
} finally {
  await server.stop();
}
const good = outcomes.filter(isGood).length;
const slowest = Math.max(0, ...outcomes.map(({ takeOverMs }) => takeOverMs));
const passed = good === rounds * kinds.length;
console.log(
  `failover: ${passed ? 'PASS' : 'FAIL'}: ${good} of ${rounds * kinds.length} runs with ${count} containers each finished ` +
    `exactly once and no instance left; slowest take-over ${(slowest / 1_000).toFixed(1)} s (at most 10 s)`,
);
await watchdog.close();
process.exit(passed ? 0 : 1);
