import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { steadyNow, systemClock, type Clock } from '../../src/domain/clock.js';
import type { InProcess } from '../support/in-process.js';
import { postgresSource } from '../support/postgres-source.js';
import { sharedFleet, type SharedFleet } from '../support/shared-fleet.js';
import { startTcpProxy, throughProxy, type TcpProxy } from '../support/tcp-proxy.js';

const source = postgresSource();
const patient = { timeout: 60_000, interval: 50 };
const hourMs = 3_600_000;

/** The clock of this machine, which an operator may set. */
function settableClock(): Clock & { offsetMs: number } {
  const wall = { offsetMs: 0 };
  const now = steadyNow(
    () => Date.now() + wall.offsetMs,
    () => performance.now(),
  );
  return Object.assign(wall, {
    now,
    setTimeout: (callback: () => void, delayMs: number) => systemClock.setTimeout(callback, delayMs),
    clearTimeout: (handle: unknown) => systemClock.clearTimeout(handle),
  });
}

describe('a daemon whose PostgreSQL store is in trouble', { timeout: 180_000 }, () => {
  let fleet: SharedFleet;
  let url: string;
  let proxy: TcpProxy;
  let app: InProcess;

  beforeEach(async (context) => {
    await source.begin(context);
    url = (await source.create()).url;
    fleet = sharedFleet();
    proxy = await startTcpProxy(source.server.socket);
  });
  afterEach(async () => {
    proxy?.heal();
    await app?.stop();
    await proxy?.close();
    await fleet?.close();
  });
  afterAll(() => source.end());

  const start = async (clock?: Clock): Promise<void> => {
    app = await fleet.daemon('only', throughProxy(url, proxy), clock ? { clock } : {});
    await expect.poll(() => app.daemon.role().state, patient).toBe('leading');
  };
  const submit = async (count: number, key = ''): Promise<string[]> => {
    const containers = Array.from({ length: count }, (_, index) => ({
      command: ['true'],
      vcpus: 1,
      ram: '1MiB',
      ...(key === '' ? {} : { idempotencyKey: `${key}${index}` }),
    }));
    const { json } = await app.ask('/v1/containers', { body: { containers } });
    return (json as { items: { uuid: string }[] }).items.map(({ uuid }) => uuid);
  };
  const complete = async (): Promise<number> => (await app.ask('/v1/status')).json.containers?.Complete;
  const startsOf = (uuids: string[]) => uuids.map((uuid) => fleet.starts.get(uuid));

  it('lets containers go on while it is away for a minute, loses nothing and starts nothing twice', async () => {
    fleet.runMs = 10_000;
    await start();
    const uuids = await submit(24);
    await expect.poll(() => fleet.starts.size, patient).toBeGreaterThan(5);
    proxy.cut();
    const awayUntil = Date.now() + 60_000;
    await expect
      .poll(async () => (await app.ask('/_health/ping')).json, patient)
      .toMatchObject({ health: 'ERROR' });
    // What runs is not ended for it.
    expect(fleet.cloud.instanceIds.length).toBeGreaterThan(0);
    await expect.poll(() => Date.now() > awayUntil, { timeout: 70_000, interval: 500 }).toBe(true);
    expect(fleet.orders.filter(({ order }) => order === 'destroy')).toEqual([]);
    proxy.heal();
    await expect.poll(complete, patient).toBe(24);
    expect(startsOf(uuids)).toEqual(uuids.map(() => 1));
    await expect.poll(async () => (await app.ask('/_health/ping')).json, patient).toEqual({ health: 'OK' });
  });

  it('goes on after the server crashed and came back', async () => {
    fleet.runMs = 300;
    await start();
    const uuids = await submit(40);
    await expect.poll(complete, patient).toBeGreaterThan(3);
    await source.server.crash();
    await expect.poll(complete, patient).toBe(40);
    expect(startsOf(uuids)).toEqual(uuids.map(() => 1));
  });

  it('goes on when the clock is set back an hour, and forth again', async () => {
    const clock = settableClock();
    fleet.runMs = 500;
    await start(clock);
    const { epoch } = app.daemon.role();
    const uuids = await submit(20);
    await expect.poll(complete, patient).toBeGreaterThan(2);
    clock.offsetMs = -hourMs;
    uuids.push(...(await submit(10)));
    await expect.poll(complete, patient).toBe(30);
    clock.offsetMs = 0;
    uuids.push(...(await submit(10)));
    await expect.poll(complete, patient).toBe(40);
    expect(startsOf(uuids)).toEqual(uuids.map(() => 1));
    expect(app.daemon.role()).toMatchObject({ state: 'leading', epoch });
    await expect.poll(() => fleet.cloud.instanceIds, patient).toEqual([]);
  });

  it('makes one container of a submission that is sent again because its answer was lost', async () => {
    await start();
    const [first, again] = await Promise.all([submit(5, 'k'), submit(5, 'k')]);
    expect(again).toEqual(first);
    await expect.poll(complete, patient).toBe(5);
    expect(fleet.starts.size).toBe(5);
  });

  it('comes upon a container that somebody else added without announcing it', async () => {
    await start();
    const [uuid] = await submit(1);
    await expect.poll(complete, patient).toBe(1);
    const database = new URL(url).pathname.slice(1);
    const columns = source.server.run(
      `select string_agg(column_name, ',') from information_schema.columns where table_name = 'containers' and column_name not in ('uuid', 'revision', 'state')`,
      database,
    );
    source.server.run(
      `with f as (update fence set revision = revision + 1 returning revision) insert into containers (uuid, revision, state, ${columns})
       select 'wired-dz642-000000000000001', f.revision, 'Queued', ${columns} from containers, f where uuid = '${uuid!}'`,
      database,
    );
    await expect.poll(complete, patient).toBe(2);
  });
});
