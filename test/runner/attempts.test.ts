import { afterEach, beforeEach, expect, it } from 'vitest';
import { collectResultWith } from '../../src/actors/collect-result.js';
import { StartFailures } from '../../src/fleet/start-failures.js';
import { FairSlots } from '../../src/async/fair-slots.js';
import { Conduct } from '../../src/fleet/conduct.js';
import type { Executors } from '../../src/fleet/instance-executors.js';
import { RunnerProgram } from '../../src/runner/program.js';
import { systemClock } from '../../src/domain/clock.js';
import { openDatabase } from '../../src/queue/store/database.js';
import type { SqlContainerStore } from '../../src/queue/store/sql-container-store.js';
import { recordedQueue } from '../../src/queue/observed-queue.js';
import type { RefusedClaim } from '../../src/queue/queue.js';
import { ExecutorError } from '../../src/ssh/executor.js';
import { request, storeOn } from '../queue/store/contract.js';
import { runEffect, runnerSettings } from '../support/effects-world.js';
import { RunnerHost } from '../support/runner-host.js';
import { smallType } from '../support/worker-world.js';
import type { Store } from '../../src/queue/store/schema.js';

/** One host, whatever instance it is called. */
let host: RunnerHost;
let db: Store;
let store: SqlContainerStore;
const claims: RefusedClaim[] = [];

beforeEach(async () => {
  host = await RunnerHost.create(['sh']);
  db = await openDatabase({ url: `file:${host.folder}/store.db` });
  store = storeOn(db);
  await store.update();
  claims.length = 0;
});
afterEach(async () => {
  await store?.stop();
  await db?.destroy();
  await host?.remove();
});

const executor = {
  run: async (command: string) => {
    const words = command.split(' ');
    const { code, stdout, stderr } = await host.run(words.slice(words.findIndex((w) => w.startsWith('--'))));
    if (code === 0) return { stdout, stderr };
    throw new ExecutorError('exit', stderr, { exitCode: code });
  },
};
const executors = {
  conduct: new Conduct({
    clock: systemClock,
    isGiven: () => true,
    onStrike: () => {},
    onQuarantine: () => {},
  }),
  of: (instanceId: string) => ({
    executor,
    instance: { id: instanceId, remoteUser: 'root' },
    type: smallType,
  }),
} as unknown as Executors;

function collect(uuid: string, instanceId: string) {
  const observer = {
    completed: () => {},
    attemptEnded: () => {},
    cancelled: () => {},
    lost: () => {},
    reverted: () => {},
    claimRefused: (claim: RefusedClaim) => void claims.push(claim),
  };
  const logic = collectResultWith({
    failures: new StartFailures(systemClock),
    executors,
    runner: new RunnerProgram({ ...runnerSettings, deploy: 'built-in' }),
    queue: recordedQueue(store, observer),
    logLimitBytes: 100_000,
    timeoutMs: 20_000,
    collects: new FairSlots({ clock: systemClock, count: 1, share: 1, patienceMs: Infinity, mostOverdue: 0 }),
    clock: systemClock,
  });
  return runEffect(logic, { instanceId, uuid });
}

async function begin(uuid: string, instanceId: string, command: string[]): Promise<void> {
  await store.lock(uuid);
  const placement = { instanceId, instanceTypeName: 'small', pricePerHour: 1 };
  const attempt = await store.started(uuid, placement, Date.now());
  expect((await host.start(uuid, { command }, 10_000, undefined, attempt)).code).toBe(0);
}

it('runs a container again whose killed attempt left a result on a host that comes back under another id', async () => {
  const { uuid } = (await store.submit([request]))[0]!;
  await begin(uuid, 'static-1', ['sleep', '300']);
  await host.until(0, '--kill', '15', uuid);
  await store.lost(uuid, 'its instance is gone');

  expect(await collect(uuid, 'static-2')).toEqual({ ok: true });
  expect(await store.find(uuid)).toMatchObject({ state: 'Queued', exitCode: undefined });
  expect(claims).toMatchObject([{ uuid, instanceId: 'static-2', attempt: 1, what: 'result' }]);
  expect(await host.list()).toEqual([]);

  await begin(uuid, 'static-2', ['echo', 'second']);
  await expect.poll(() => host.list(), { timeout: 20_000 }).toContain(`${uuid} ended`);
  expect(await collect(uuid, 'static-2')).toEqual({ ok: true });
  expect(await store.find(uuid)).toMatchObject({ state: 'Complete', exitCode: 0, attempts: 2 });
  expect(await store.output(uuid)).toMatchObject({ stdout: 'second\n' });
  expect(claims).toHaveLength(1);
});
