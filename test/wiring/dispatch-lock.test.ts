import pg from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controllerToken, FakeController, uuidOf } from '../support/fake-controller.js';
import type { InProcess } from '../support/in-process.js';
import { postgresSource } from '../support/postgres-source.js';
import { sharedFleet, type SharedFleet } from '../support/shared-fleet.js';
import { startTcpProxy, throughProxy, type TcpProxy } from '../support/tcp-proxy.js';

const source = postgresSource();
const patient = { timeout: 60_000, interval: 50 };
const key = 10_005;

describe('a daemon with the queue of a controller', { timeout: 120_000 }, () => {
  let fleet: SharedFleet;
  let controller: FakeController;
  let cluster: string;
  const closers: (() => Promise<unknown>)[] = [];

  beforeEach(async (context) => {
    await source.begin(context);
    cluster = (await source.create()).url;
    fleet = sharedFleet();
    closers.push(() => fleet.close());
    controller = await FakeController.start();
    closers.push(() => controller.close());
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(() => source.end());

  /** On the cluster's database, as the old dispatcher would be. */
  const session = async (name = 'arvados'): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: cluster, application_name: name });
    client.on('error', () => {});
    await client.connect();
    closers.push(() => client.end().catch(() => {}));
    return client;
  };
  const tryLock = async (client: pg.Client): Promise<boolean> => {
    const { rows } = await client.query<{ ok: boolean }>('select pg_try_advisory_lock($1) as ok', [key]);
    return rows[0]!.ok;
  };
  const start = async (store = './store.db', database = cluster): Promise<InProcess> => {
    const daemon = await fleet.daemon('it', store, {
      token: controllerToken,
      yaml: `clusterId: zzzzz
runner: { deploy: '' }
controller: { url: '${controller.url}', database: '${database}' }
`,
    });
    closers.push(() => daemon.stop());
    return daemon;
  };
  const state = (each: InProcess): string => each.daemon.role().state;
  const leads = (each: InProcess) => expect.poll(() => state(each), patient).toBe('leading');
  const locked = (): number =>
    controller.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/lock')).length;

  it('stands by while another session has the dispatch lock, and says which; then it has the lock itself (SC-6)', async () => {
    const other = await session();
    expect(await tryLock(other)).toBe(true);
    controller.add(1);
    const daemon = await start();
    await expect
      .poll(() => daemon.daemon.role().fault, patient)
      .toMatch(/10005.*held by session \d+ "arvados"/);
    expect(state(daemon)).toBe('standing by');
    expect((await daemon.ask('/_health/ping')).json).toMatchObject({
      health: 'ERROR',
      error: expect.stringContaining('stop the old dispatcher'),
    });
    expect((await daemon.ask('/v1/instances')).status).toBe(503);
    expect(controller.requests).toEqual([]);

    await other.query('select pg_advisory_unlock($1)', [key]);
    await leads(daemon);
    await expect.poll(() => controller.containers.get(uuidOf(1))!.state, patient).not.toBe('Queued');
    expect(await tryLock(other)).toBe(false);
    expect((await daemon.ask('/_health/ping')).json).toEqual({ health: 'OK' });
    await daemon.daemon.stop();
    await expect.poll(() => tryLock(other), patient).toBe(true);
  });

  it('stops leading when its session is lost, and gives no order while another has the lock', async () => {
    const daemon = await start();
    await leads(daemon);
    const other = await session();
    // Waits for its turn, as the old dispatcher does.
    const taken = other.query('select pg_advisory_lock($1)', [key]);
    taken.catch(() => {});
    const killer = await session('killer');
    await killer.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = ${key} and granted`,
    );
    await taken;
    await expect.poll(() => state(daemon), patient).toBe('standing by');
    await expect.poll(() => daemon.daemon.role().fault, patient).toContain('held by session');
    const before = locked();
    controller.add(2);
    await expect.poll(async () => (await daemon.ask('/v1/containers')).status, patient).toBe(503);
    expect([locked(), controller.containers.get(uuidOf(2))!.state]).toEqual([before, 'Queued']);
    await other.query('select pg_advisory_unlock($1)', [key]);
    await leads(daemon);
    await expect.poll(() => locked(), patient).toBeGreaterThan(before);
  });

  it('takes over from a leader of its store that was cut off with the lock in its hands', async () => {
    const { url: store } = await source.create();
    const proxy: TcpProxy = await startTcpProxy(source.server.socket);
    closers.push(() => proxy.close());
    const first = await start(throughProxy(store, proxy), throughProxy(cluster, proxy));
    await leads(first);
    const second = await start(store);
    await expect.poll(() => state(second), patient).toBe('standing by');
    expect(second.daemon.role().fault).toBeUndefined();
    proxy.blackHole();
    await leads(second);
    expect(state(first)).not.toBe('leading');
    proxy.heal();
    await expect.poll(() => state(first), patient).toBe('standing by');
    expect(state(second)).toBe('leading');
  });
});
