import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../src/domain/clock.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { serveCloud, type RemoteCloud } from '../../scripts/remote-cloud.js';
import { until } from '../zoo/until.js';
import { AttackedDaemon, clusterId, liarType } from './attacked-daemon.js';
import { HonestWork } from './honest-work.js';
import type { SeedFigures } from './judge.js';
import { describePlan, planOf } from './liar-plan.js';
import { MixedHost } from './mixed-host.js';
import { Watchman } from './watchman.js';

export interface PlayOptions {
  /** For files; not removed. */
  folder: string;
  /** Each process that is started, so that it is ended whatever happens. */
  onStarted(child: ChildProcess): void;
  signal: AbortSignal;
  /** How long there have to be liars; default 60 s. It ends sooner when all liars are in quarantine. */
  longestMs?: number;
  say?(text: string): void;
}

const honestInstances = 2;
/** For each liar: its work goes to others when it is out of service, and no honest instance makes room for it. */
const spareInstances = 4;
const containersForLiar = 4;
const feedMs = 2_000;
const mostForLiars = 60;
const quietMs = 5_000;
/** Of an attack that was seen through, and after the last quarantine. */
const leastAttackMs = 10_000;
const afterMs = 3_000;
const longestWaitMs = 60_000;
const pauseMs = 250;

/** Plays one seed from the start of its daemon to its end. Never rejects: what goes wrong is the `failure` of its figures. */
export async function playSeed(seed: number, options: PlayOptions): Promise<SeedFigures> {
  const plan = planOf(seed);
  const releases: (() => Promise<void>)[] = [];
  try {
    return await play(seed, options, releases);
  } catch (error) {
    return {
      ...nothing,
      seed,
      plan: describePlan(plan),
      failure: error instanceof Error ? error.message : String(error),
    };
  } finally {
    for (const release of releases.reverse()) await release().catch(() => {});
  }
}

const nothing: Omit<SeedFigures, 'seed' | 'plan'> = {
  memoryMiB: 0,
  turnMs: 0,
  turnOnTheWallMs: 0,
  lateMs: 0,
  journalMiB: 0,
  liars: [],
  drained: [],
  forged: [],
  honestResults: 0,
  attacks: 0,
  faults: [],
};

async function play(
  seed: number,
  options: PlayOptions,
  releases: (() => Promise<void>)[],
): Promise<SeedFigures> {
  const { folder, onStarted, signal, longestMs = 60_000 } = options;
  const plan = planOf(seed);
  const random = new SeededRandom(`liars/${seed}/work`);
  const liarCount = plan.liars.length;
  const host = new MixedHost({
    seed,
    clusterId,
    liarType,
    liarCount,
    runMs: () => random.between(200, 1_500),
    onStarted,
  });
  const cloud = await openCloud(host);
  releases.push(() => cloud.close());
  const maxInstances = honestInstances + spareInstances * liarCount;
  const daemon = await AttackedDaemon.start(join(folder, 'daemon'), cloud.url, { maxInstances, onStarted });
  releases.push(() => daemon.end());
  const work = new HonestWork(daemon, host, random);
  const watchman = new Watchman(daemon, host);
  releases.push(() => work.stop());
  await work.begin(honestInstances, signal);
  await pauseUnless(signal, quietMs);
  watchman.begin();
  await work.feedLiars(containersForLiar * liarCount);
  await until('a liar to appear', 60_000, () => signal.aborted || host.liars.size > 0);
  host.attack(daemon.url);
  await seeThrough(daemon, watchman, work, { signal, longestMs });
  const { attacks, faults } = await host.endAttack();
  await work.stop();
  const honest = await work.judge();
  const allFaults = [...honest.faults, ...faults];
  return { seed, plan: describePlan(plan), attacks, ...watchman.figures(), ...honest, faults: allFaults };
}

function openCloud(host: MixedHost): Promise<RemoteCloud> {
  const cloud = new SimulatedCloud({
    host,
    clock: systemClock,
    random: Math.random,
    // An instance that could not be started is retired by the daemon for it.
    onFault: () => {},
  });
  return serveCloud(new SimulatedDriver(cloud, () => cloud.close()));
}

async function seeThrough(
  daemon: AttackedDaemon,
  watchman: Watchman,
  work: HonestWork,
  { signal, longestMs }: { signal: AbortSignal; longestMs: number },
): Promise<void> {
  const beganAt = Date.now();
  let fedAt = beganAt;
  while (!signal.aborted) {
    if (daemon.hasEnded) throw new Error(`the daemon ended: ${daemon.log.slice(-500)}`);
    await watchman.look();
    const now = Date.now();
    // Others may have had the work: a liar gets some until it lied about it.
    if (watchman.hasSilentLiars() && now - fedAt >= feedMs && work.toLiars.size < mostForLiars) {
      fedAt = now;
      await work.feedLiarsAgain(2).catch(() => {});
    }
    const isOver = watchman.isSettled(afterMs) && now - beganAt >= leastAttackMs;
    // On a busy machine it takes longer to say the same.
    const waitedMs = Math.min(longestWaitMs, watchman.waitedMs(beganAt, now));
    if (isOver || now - beganAt - waitedMs >= longestMs + afterMs) return;
    await pauseUnless(signal, pauseMs);
  }
  throw new Error('stopped');
}

function pauseUnless(signal: AbortSignal, delayMs: number): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done);
  });
}
