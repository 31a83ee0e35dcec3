import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InProcess } from '../support/in-process.js';
import { postgresSource } from '../support/postgres-source.js';
import { sharedFleet, type SharedFleet } from '../support/shared-fleet.js';
import { startTcpProxy, throughProxy, type TcpProxy } from '../support/tcp-proxy.js';

const source = postgresSource();
const patient = { timeout: 60_000, interval: 50 };

describe('daemons that share a store', { timeout: 120_000 }, () => {
  let fleet: SharedFleet;
  let url: string;
  let running: InProcess[];
  let proxies: TcpProxy[];

  beforeEach(async (context) => {
    await source.begin(context);
    url = (await source.create()).url;
    fleet = sharedFleet();
    running = [];
    proxies = [];
  });
  afterEach(async () => {
    for (const proxy of proxies) proxy.heal();
    for (const each of running) await each.stop();
    for (const proxy of proxies) await proxy.close();
    await fleet?.close();
  });
  afterAll(() => source.end());

  const start = async (
    ...[name, store = url, options]: Partial<Parameters<SharedFleet['daemon']>>
  ): Promise<InProcess> => {
    const daemon = await fleet.daemon(name!, store, options);
    running.push(daemon);
    return daemon;
  };
  const proxied = async (): Promise<{ proxy: TcpProxy; store: string }> => {
    const proxy = await startTcpProxy(source.server.socket);
    proxies.push(proxy);
    return { proxy, store: throughProxy(url, proxy) };
  };
  const role = (each: InProcess): string => each.daemon.role().state;
  const leads = (each: InProcess) => expect.poll(() => role(each), patient).toBe('leading');
  const submit = async (to: InProcess, count: number, extra = {}): Promise<string[]> => {
    const containers = Array.from({ length: count }, () => ({
      command: ['true'],
      vcpus: 1,
      ram: '1MiB',
      ...extra,
    }));
    const { json, status, text } = await to.ask('/v1/containers', { body: { containers } });
    expect([status, text.slice(0, 300)]).toEqual([201, expect.any(String)]);
    return (json as { items: { uuid: string }[] }).items.map(({ uuid }) => uuid);
  };
  const allComplete = (of: InProcess, count: number) =>
    expect.poll(async () => (await of.ask('/v1/status')).json.containers?.Complete, patient).toBe(count);

  it('have one leader; the other one reads, takes containers, and says who leads', async () => {
    const first = await start('first');
    await leads(first);
    const second = await start('second');
    await expect.poll(() => role(second), patient).toBe('standing by');
    const uuids = await submit(second, 10);
    await allComplete(second, 10);
    expect((await second.ask(`/v1/containers/${uuids[0]!}`)).json).toMatchObject({ state: 'Complete' });
    const refused = await second.ask('/v1/instances');
    expect([refused.status, refused.text]).toEqual([
      503,
      expect.stringContaining(`leads, at ${first.daemon.url}`),
    ]);
    const events = await second.ask('/v1/events');
    expect([events.status, events.text]).toEqual([503, refused.text]);
    expect((await second.ask('/v1/status')).json.role).toMatchObject({
      state: 'standing by',
      leader: { url: first.daemon.url },
    });
    expect((await second.ask('/_health/ping')).json).toEqual({ health: 'OK' });
    expect((await second.ask('/metrics')).text).toContain('arvados_dispatchcloud_leading 0');
    expect(fleet.orders.every(({ by }) => by === 'first')).toBe(true);
    expect(uuids.map((uuid) => fleet.starts.get(uuid))).toEqual(uuids.map(() => 1));
  });

  it('hand the lead over at once when the leader stops', async () => {
    const first = await start('first');
    await leads(first);
    const second = await start('second');
    await submit(first, 6);
    await first.daemon.stop();
    const stoppedAt = Date.now();
    await leads(second);
    expect(Date.now() - stoppedAt).toBeLessThan(5_000);
    await allComplete(second, 6);
    await expect.poll(() => fleet.cloud.instanceIds, patient).toEqual([]);
  });

  it('let a leader that was cut off give no order, and lose nothing', async () => {
    fleet.runMs = 3_000;
    const { proxy, store } = await proxied();
    const first = await start('first', store);
    await leads(first);
    const second = await start('second');
    const uuids = await submit(second, 12);
    await expect.poll(() => fleet.starts.size, patient).toBeGreaterThan(2);
    const before = first.daemon.role().epoch;
    proxy.blackHole();
    const cutAt = Date.now();
    await leads(second);
    const tookOverMs = Date.now() - cutAt;
    expect(tookOverMs).toBeLessThan(10_000);
    expect(second.daemon.role().epoch).toBe(before + 1);
    const tookOverAt = Date.now();
    await allComplete(second, 12);
    expect(fleet.orders.filter(({ by, at }) => by === 'first' && at > tookOverAt)).toEqual([]);
    expect(uuids.map((uuid) => fleet.starts.get(uuid))).toEqual(uuids.map(() => 1));
    expect(role(first)).toBe('waiting for the store');
    proxy.heal();
    await expect.poll(() => role(first), patient).toBe('standing by');
  });

  it('wait for a store that is not there yet, and say so', async () => {
    const { proxy, store } = await proxied();
    proxy.cut();
    const only = await start('only', store);
    await expect
      .poll(async () => (await only.ask('/_health/ping')).json, patient)
      .toMatchObject({ health: 'ERROR', error: expect.stringContaining('cannot be opened') });
    expect((await only.ask('/v1/containers')).status).toBe(503);
    proxy.heal();
    await leads(only);
    expect((await only.ask('/_health/ping')).json).toEqual({ health: 'OK' });
  });

  it('refuse one whose instance set is another, naming the remedy', async () => {
    const first = await start('first');
    await leads(first);
    const stranger = await start('stranger', url, { yaml: '\n' });
    await expect.poll(() => role(stranger), patient).toBe('standing by');
    // The store belongs to an instance set that is not that of these two.
    source.server.run(`update leadership set set_id = 'other'`, new URL(url).pathname.slice(1));
    await first.daemon.stop();
    await expect
      .poll(() => stranger.daemon.role().fault, patient)
      .toContain('run on another instance set: give this daemon the systemRootToken');
    expect(role(stranger)).not.toBe('leading');
  });
});
