import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compose, type Daemon } from '../../../src/daemon/daemon.js';
import { parseConfig } from '../../../src/config/load.js';
import { ensureSecrets } from '../../../src/config/secrets.js';
import { systemClock } from '../../../src/domain/clock.js';
import { createLog } from '../../../src/observability/log.js';
import type { InstanceType } from '../../../src/domain/instance-type.js';
import { ExecutorError, type Executor } from '../../../src/ssh/executor.js';
import { delegate } from '../../../src/drivers/wrappers/delegate.js';
import { ec2World, type Ec2World } from './world.js';
import { FakeEc2 } from './fake-ec2.js';

let folder: string;
let ec2: FakeEc2;
let world: Ec2World | undefined;
let daemon: Daemon | undefined;
let small: InstanceType;
/** How often the driver was asked for an instance. */
let asked: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'longshore-joint-'));
  ec2 = new FakeEc2();
  asked = 0;
});
afterEach(async () => {
  ec2.release();
  await stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function stop(): Promise<void> {
  await daemon?.stop();
  await world?.close();
  [daemon, world] = [undefined, undefined];
}

/** A daemon on a cloud whose instances nobody can log in to. */
async function start(): Promise<Daemon> {
  const text = `
clusterId: joint
stateDir: ./state
driver: loopback
instanceTypes: { small: { providerType: t3.micro, vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
pool: { syncInterval: 1s, maxConcurrentCreates: 0, maxCloudOpsPerSecond: 0, deployPublicKey: false }
api: { listen: '127.0.0.1:0' }
logLevel: silent`;
  world = await ec2World({ instancesPerRequest: 10 }, (request) => ec2.answer(request));
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'joint.yaml'), env: process.env }));
  small = config.instanceTypes.get('small')!;
  const refuse = () => Promise.reject(new ExecutorError('refused', 'nobody is there'));
  const executor = { run: refuse, setTarget: () => {}, close: () => Promise.resolve() };
  daemon = await compose({
    config,
    clock: systemClock,
    log: createLog('silent'),
    driver: {
      ...delegate(world.driver),
      create: (spec, options) => {
        asked++;
        return world!.driver.create(spec, options);
      },
    },
    executorFactory: () => executor as unknown as Executor,
  });
  await expect.poll(() => daemon!.role().state).toBe('leading');
  await daemon.pool.loaded();
  return daemon;
}

const states = () =>
  daemon!.pool
    .instances()
    .map(({ instanceId, workerState, isOrphan }) => [instanceId, workerState, isOrphan])
    .sort();
const booting = () => ec2.instances.map(({ id }) => [id, 'booting', false]).sort();
const counts = () =>
  world!.proxy.requests
    .filter(({ action }) => action === 'RunInstances')
    .map(({ parameters }) => parameters.get('MaxCount'));

/** Four create calls, three of them while the request of the first is under way; EC2 has got two requests then. */
async function createFour(): Promise<void> {
  const { pool } = await start();
  ec2.holds = true;
  for (let count = 0; count < 4; count++) expect(pool.create(small, 'the test')).toMatchObject({});
  await expect.poll(() => [asked, ec2.held.length]).toEqual([4, 1]);
  await world!.clock.advance(1_000);
  await expect.poll(() => ec2.held.length).toBe(2);
  expect(counts()).toEqual(['1', '3']);
}

describe('the pool, whose create calls go together', { timeout: 300_000 }, () => {
  it('has an instance of each', async () => {
    await createFour();
    ec2.release();
    await expect.poll(() => ec2.instances.length).toBe(4);
    await expect.poll(states).toEqual(booting());
  });

  it('knows them all after a restart in which the replies were lost', async () => {
    await createFour();
    ec2.loses = true;
    ec2.release();
    await expect.poll(() => ec2.instances.length).toBe(4);
    await stop();
    ec2.loses = ec2.holds = false;
    await start();
    expect(states()).toEqual(booting());
  });

  it('takes those that EC2 had no room for as a lack of capacity', async () => {
    ec2.room[''] = 3;
    await createFour();
    const { pool } = daemon!;
    ec2.release();
    await expect.poll(() => pool.instances().filter(({ launchId }) => launchId !== '')).toEqual([]);
    await expect.poll(states).toEqual(booting());
    expect(ec2.instances).toHaveLength(3);
    expect([pool.atCapacity(small), pool.breakers().length]).toEqual([true, 1]);
  });
});
