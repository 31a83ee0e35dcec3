import type { Logger } from 'pino';
import { UnknownInstanceError, type Executors } from '../fleet/instance-executors.js';
import { HostKeyError } from '../fleet/host-keys.js';
import { asRoot, uuidWord } from '../runner/remote-command.js';
import type { RunnerProgram } from '../runner/program.js';
import type { ApiDeps, LiveParts } from '../api/deps.js';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { DriverError } from '../drivers/driver.js';
import type { ProviderBreakers } from '../fleet/provider-breakers.js';
import { explain } from '../journal/explain/explain.js';
import type { Metrics } from '../observability/metrics.js';
import { pageFolder } from './page-folder.js';
import { replay, type Replay } from '../journal/replay/replay.js';
import { recordBase } from '../journal/replay/step-record.js';
import type { Reporter } from '../observability/reporter.js';
import { ExecutorError } from '../ssh/executor.js';
import { version } from './version.js';
import type { StoreHealth } from '../queue/store/store-health.js';
import type { Orders } from './leader-session.js';
import type { OpenStorage } from './open-storage.js';
import type { ContainerStore } from '../queue/container-store.js';

/** Running parts that the API reads and commands. */
export interface ServedParts extends Pick<OpenStorage, 'journal' | 'sessions'> {
  store: ContainerStore;
  config: Config;
  clock: Clock;
  log: Logger;
  orders: Orders;
  metrics: Metrics;
  reporter: Reporter;
  runner: RunnerProgram;
  live: LiveParts;
  /** Breakers of provider calls, in addition to those of the pool. */
  breakers: ProviderBreakers;
  storeHealth: StoreHealth;
}

/** Returns the dependencies of the API from the running parts. */
export function apiDeps(parts: ServedParts): ApiDeps {
  const { config, clock, log, store, journal, metrics, reporter, live, breakers, orders } = parts;
  const { pool, dispatch, executors } = orders.core;
  return {
    pool,
    store,
    role: () => orders.role(),
    attemptFault: () => reporter.attemptFault(),
    storeFault: () => parts.storeHealth.fault(),
    dispatchFault: () => ({ any: reporter.dispatchFault(), stop: reporter.dispatchStop() }),
    assertLeading: () => orders.assertLeading(),
    dispatcher: {
      containers: () => dispatch.containers(),
      wait: (uuid) => (orders.isLeading ? dispatch.wait(uuid) : undefined),
    },
    breakers: {
      list: () => [...pool.breakers(), ...breakers.views()],
      reset: (key) => pool.resetBreaker(key) || breakers.reset(key),
    },
    clearQuarantine: clearQuarantineWith(orders),
    conduct: conductWith(orders, journal),
    hostKeys: hostKeysOf(orders),
    journal,
    sessions: parts.sessions,
    orders: reporter,
    metrics,
    explain: (id) =>
      explain(
        {
          now: () => clock.now(),
          journal,
          store,
          snapshot: (instanceId) => (orders.isLeading ? pool.snapshot(instanceId) : undefined),
          chart: (instanceId) => (orders.isLeading ? pool.chart(instanceId) : undefined),
          wait: (uuid) => (orders.isLeading ? dispatch.wait(uuid) : undefined),
          conduct: conductWith(orders, journal),
        },
        id,
      ),
    replay: (instanceId, limit) => replayOf(parts, instanceId, limit),
    tail: tailWith(executors, parts.runner),
    openShell: openShellWith(executors),
    maxShells: config.api.maxShells,
    live,
    managementToken: config.managementToken,
    pageFolder,
    version,
    clock,
    log,
  };
}

async function replayOf(
  { journal, orders }: ServedParts,
  instance: string,
  limit: number,
): Promise<Replay | undefined> {
  const [begun, steps] = await Promise.all([
    journal.read({ instance, kind: 'worker.begun', limit: 100 }),
    journal.read({ instance, kind: 'worker.step', limit }),
  ]);
  const live = orders.isLeading ? orders.core.pool.snapshot(instance) : undefined;
  if (steps.length === 0 || (begun.length === 0 && !live)) return undefined;
  const inOrder = [...begun, ...steps].sort((a, b) => a.at - b.at);
  return replay(instance, inOrder, live && recordBase(live));
}

/** Returns the violations of an instance that this daemon observed. */
export function conductWith(
  orders: Pick<Orders, 'isLeading' | 'core'>,
  journal: ServedParts['journal'],
): NonNullable<ApiDeps['conduct']> {
  return (instanceId) => {
    const view = orders.isLeading ? orders.core.quarantine.conduct(instanceId) : undefined;
    return view && { ...view, bytesLeftOut: journal.leftOut(instanceId) };
  };
}

function clearQuarantineWith(orders: Orders): ApiDeps['clearQuarantine'] {
  return async (instanceId, force) => {
    const { quarantine } = orders.core;
    try {
      return { is: await quarantine.clear(instanceId, force) };
    } catch (error) {
      if (error instanceof DriverError) return { is: 'refused', because: error.message };
      throw error;
    }
  };
}

function hostKeysOf(orders: Orders): ApiDeps['hostKeys'] {
  const { hostKeys } = orders.core;
  return {
    of: (instanceId) => {
      try {
        return hostKeys.of(instanceId);
      } catch (error) {
        if (error instanceof UnknownInstanceError) return undefined;
        throw error;
      }
    },
    accept: (instanceId, fingerprint, because) => {
      try {
        return { is: 'accepted', key: hostKeys.accept(instanceId, fingerprint, because) };
      } catch (error) {
        if (error instanceof UnknownInstanceError) return { is: 'unknown' };
        if (error instanceof HostKeyError) return { is: 'refused', because: error.message };
        throw error;
      }
    },
  };
}

function tailWith(executors: Executors, runner: RunnerProgram): ApiDeps['tail'] {
  return async function* (view, uuid, stream, follow, signal) {
    const { executor, instance } = executors.of(view.instanceId);
    const flag = follow ? ' --follow' : '';
    const command = asRoot(
      `${await runner.command(executors.of(view.instanceId))} --tail ${uuidWord(uuid)}${flag} ${stream}`,
      instance.remoteUser,
    );
    const { text } = await executor.open(command, { signal, traffic: 'user' });
    if (!text) throw new ExecutorError('refused', 'this daemon has no SSH connection to its instances');
    yield* text;
  };
}

function openShellWith(executors: Executors): ApiDeps['openShell'] {
  return async (instanceId, options) => {
    const { executor, instance } = executors.of(instanceId);
    if (!executor.openSession) {
      throw new ExecutorError('refused', 'this daemon has no SSH connection to its instances');
    }
    const session = await executor.openSession(options);
    return { session, address: instance.address, user: instance.remoteUser };
  };
}
