import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCloudTest } from '../../src/cloudtest/run-cloud-test.js';
import { storedDriverRecord } from '../../src/daemon/driver-record.js';
import { parseConfig } from '../../src/config/load.js';
import { ensureSecrets } from '../../src/config/secrets.js';
import { systemClock } from '../../src/domain/clock.js';
import type { Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { runInShell } from '../../src/drivers/loopback/shell.js';
import { openDatabase } from '../../src/queue/store/database.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { startSshServer } from '../../src/ssh/server.js';
import { errorOf, loginKey, options, spec, wrapped } from './contract.js';
import { executorsWith } from './login.js';
import { cloudTestWishes } from '../support/cloud-test-wishes.js';
import type { Store } from '../../src/queue/store/schema.js';

const hostKey = generateKeyPair();
const publicText = hostKey.publicKey.trim().split(' ').slice(0, 2).join(' ');
const hosts = ['a', 'b', 'c'].map((address) => ({ address, type: 'provider.small', hostKey: publicText }));

let folder: string;
let db: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-static-record-'));
  db = await openDatabase({ url: join(folder, 'longshore.db') });
});
afterEach(async () => {
  await db.destroy();
  await rm(folder, { recursive: true, force: true });
});

/** The driver of one daemon among those that share the store. */
const open = async (): Promise<Driver> =>
  wrapped(
    await openDriver('static', {
      parameters: { hosts, releaseCommand: '' },
      instanceSetId: 'set',
      stateDir: join(folder, randomUUID()),
      clock: systemClock,
      random: Math.random,
      executors: executorsWith(loginKey.privateKey),
      record: storedDriverRecord(db, 'static'),
    }),
  );
const addresses = async (driver: Driver): Promise<string[]> =>
  (await driver.list({}, options)).map(({ address }) => address);

describe('hosts in use, in the store', () => {
  it('are known to the daemon that takes over, with their tags', async () => {
    const leader = await open();
    const { id } = await leader.create(spec(), options);
    await leader.setTags(id, { a: '1' }, options);
    const next = await open();
    expect(await next.list({}, options)).toMatchObject([{ id, address: 'a', tags: { a: '1' } }]);
    expect(await next.create(spec(), options)).toMatchObject({ address: 'b' });
  });

  it('are not given twice by a daemon that does not know yet that another one took over', async () => {
    const paused = await open();
    await paused.create(spec(), options);
    const next = await open();
    const second = await next.create(spec(), options);
    expect(await errorOf(paused.create(spec(), options))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('another process assigned or released a host') as string,
    });
    expect(await addresses(paused)).toEqual(['a', 'b']);
    expect(await paused.create(spec(), options)).toMatchObject({ address: 'c' });
    expect((await errorOf(next.destroy(second.id, options))).code).toBe('unavailable');
    await next.destroy(second.id, options);
    expect(await addresses(next)).toEqual(['a', 'c']);
  });

  it('are assigned once when two daemons make the first record at the same time', async () => {
    const drivers = [await open(), await open()];
    for (const driver of drivers) expect(await addresses(driver)).toEqual([]);
    const outcomes = await Promise.allSettled(drivers.map((driver) => driver.create(spec(), options)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    for (const driver of [await open(), await open()]) expect(await addresses(driver)).toEqual(['a']);
  });

  it('stay in use when the store cannot be written, and the next call finds out what holds', async () => {
    const driver = await open();
    const { id } = await driver.create(spec(), options);
    await db.schema.alterTable('driver_records').renameTo('away').execute();
    expect((await errorOf(driver.destroy(id, options))).code).toBe('unavailable');
    expect((await errorOf(driver.list({}, options))).code).toBe('unavailable');
    await db.schema.alterTable('away').renameTo('driver_records').execute();
    expect(await addresses(driver)).toEqual(['a']);
    await driver.destroy(id, options);
    expect(await addresses(driver)).toEqual([]);
  });

  it('are said to be damaged when they are', async () => {
    const driver = await open();
    await driver.create(spec(), options);
    await db.updateTable('driver_records').set({ text: '{"nextNumber":' }).execute();
    const next = await open();
    expect(await errorOf(next.list({}, options))).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('damaged') as string,
    });
  });
});

it('cloudtest takes a host that is free in the store, and gives it back', async () => {
  await db.destroy();
  const key = generateKeyPair();
  const server = await startSshServer({
    host: '127.0.0.1',
    port: 0,
    hostKey: hostKey.privateKey,
    authorizedKeys: [key.publicKey],
    run: (request) => runInShell(request, { LONGSHORE_LOCK_DIR: folder }),
  });
  const address = `127.0.0.1:${server.port}`;
  const host = { address, type: 'big', hostKey: publicText };
  const text = `clusterId: wired
stateDir: ${folder}
dispatchPrivateKey: ${JSON.stringify(key.privateKey)}
driver: static
driverParameters: ${JSON.stringify({ hosts: [host] })}
instanceTypes: { small: { providerType: big, vcpus: 1, ram: 1GiB, price: 0 } }
pool: { bootProbeCommand: 'true', probeInterval: 100ms }`;
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'c.yaml'), env: {} }));
  try {
    const report = await runCloudTest(
      config,
      systemClock,
      cloudTestWishes({ command: 'echo here' }),
      new AbortController().signal,
    );
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.ok).toBe(true);
  } finally {
    await server.close();
  }
  db = await openDatabase({ url: join(folder, 'longshore.db') });
  const { text: record } = await db.selectFrom('driver_records').select('text').executeTakeFirstOrThrow();
  expect(JSON.parse(record)).toMatchObject({ nextNumber: 2, assigned: [], released: [address] });
});
