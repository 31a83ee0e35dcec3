import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaemonProcess } from '../support/daemon.js';
import { HostileClient, malformedRequests } from '../support/hostile-client.js';

const patient = { timeout: 60_000, interval: 100 };
const mebibyte = 1024 * 1024;

describe('a client without the token', { timeout: 300_000 }, () => {
  let daemon: DaemonProcess;
  let url: string;
  let stranger: HostileClient;

  beforeAll(async () => {
    daemon = await DaemonProcess.create();
    expect(await daemon.start()).toBeUndefined();
    url = readFileSync(daemon.path('state', 'api-address'), 'utf8').trim();
    stranger = new HostileClient(url);
  }, 120_000);
  afterAll(() => daemon.remove());

  const memoryBytes = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))![1]) * 1024;
  const login = (token: string): Promise<Response> =>
    fetch(`${url}/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
  const metric = async (reason: string): Promise<number> => {
    const reply = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${daemon.token}` } });
    const pattern = new RegExp(`longshore_api_refused_total\\{reason="${reason}"\\} (\\d+)`);
    return Number(pattern.exec(await reply.text())![1]);
  };
  const refusedEntries = async (): Promise<{ data: { count: number } }[]> =>
    (await daemon.call<{ items: { data: { count: number } }[] }>('/v1/journal?kind=api.refused')).items;

  it.each([
    ['/v1/login', 'application/json', 413],
    ['/v1/login', 'application/x-www-form-urlencoded', 413],
    ['/v1/logout', 'application/json', 413],
    ['/v1/containers', 'application/json', 401],
    ['/arvados/v1/dispatch/instances/hold', 'application/x-www-form-urlencoded', 401],
    ['/nowhere', 'application/json', 401],
  ])('posts 20 bodies of 60 MiB to %s as %s and takes no memory', async (path, type, status) => {
    const beforeBytes = memoryBytes();
    let mostBytes = 0;
    const timer = setInterval(() => (mostBytes = Math.max(mostBytes, memoryBytes())), 20);
    const posts = Array.from({ length: 20 }, () => stranger.postLarge(path, 60 * mebibyte, { type }));
    const replies = await Promise.all(posts);
    clearInterval(timer);
    expect(replies.every(({ closed }) => closed)).toBe(true);
    // A client that still sends may lose the answer with the connection.
    expect(new Set(replies.map((reply) => reply.status ?? status))).toEqual(new Set([status]));
    expect((mostBytes - beforeBytes) / mebibyte).toBeLessThan(64);
  });

  it('gets an answer below 500 for what is no request, and leaves no stack and no token in the log', async () => {
    const before = daemon.log.length;
    for (const request of malformedRequests) {
      const { status, text } = await stranger.send(request, { from: '127.0.0.3', withinMs: 1_000 });
      expect([request, status ?? 400]).toEqual([request, expect.toSatisfy((code: number) => code < 500)]);
      expect(text).not.toMatch(/node_modules|at \w+ \(/);
    }
    const first = await stranger.send(malformedRequests[0]!, { from: '127.0.0.3', withinMs: 1_000 });
    expect(first.status).toBe(400);
    const written = daemon.log.slice(before);
    expect(written).not.toMatch(/a-token-in-the-query|"stack"/);
    expect(written.split('\n').filter((line) => line.includes('"component":"api"')).length).toBeLessThan(5);
  });

  it('is limited for wrong tokens, which are counted and journalled once; the right one is not refused meanwhile', async () => {
    const counted = await metric('wrong-token');
    const entries = (await refusedEntries()).length;
    const before = daemon.log.length;
    const statuses: (number | undefined)[] = [];
    for (let round = 0; round < 10; round++) {
      const tries = Array.from({ length: 20 }, (_none, index) =>
        stranger.tryToken(`wrong-${round}-${index}`, { from: '127.0.0.4' }),
      );
      statuses.push(...(await Promise.all(tries)));
      expect(await stranger.tryToken(daemon.token, { from: '127.0.0.5' })).toBe(200);
    }
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 403));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(100);
    expect(await stranger.tryToken(daemon.token, { from: '127.0.0.4' })).toBe(200);
    expect((await metric('wrong-token')) - counted).toBe(200);
    const added = (await refusedEntries()).length - entries;
    expect(added).toBeLessThanOrEqual(2);
    expect(await refusedEntries()).not.toEqual([]);
    expect(daemon.log.slice(before)).not.toContain('wrong-0-0');
    expect(daemon.log.slice(before).split('\n').length).toBeLessThan(30);
  });

  it('is limited for wrong logins, and for logouts', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 30; index++) statuses.push((await login(`wrong-${index}`)).status);
    expect(statuses).toContain(403);
    expect(statuses.at(-1)).toBe(429);
    expect((await login(daemon.token)).status).toBe(200);
    const logouts: (number | undefined)[] = [];
    const logout = 'POST /v1/logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
    for (let index = 0; index < 70; index++) {
      logouts.push((await stranger.send(logout, { from: '127.0.0.6' })).status);
    }
    expect([logouts[0], logouts.at(-1)]).toEqual([204, 429]);
  });

  it('holds 450 half-open logins: they are closed, nobody is kept out, and no login of the address is used up', async () => {
    const held = await stranger.holdLogins(450);
    try {
      expect((await login(daemon.token)).status).toBe(200);
      expect(await stranger.tryToken(daemon.token)).toBe(200);
      await expect.poll(() => held.open, patient).toBeLessThanOrEqual(64);
      await expect.poll(() => held.open, patient).toBe(0);
      expect((await login(daemon.token)).status).toBe(200);
      expect((await metric('slow')) + (await metric('crowded'))).toBeGreaterThanOrEqual(450);
    } finally {
      held.close();
    }
  });

  it('sends a body or a head slowly, and is closed', async () => {
    const head =
      'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n';
    const options = { from: '127.0.0.7', withinMs: 40_000 };
    const replies = await Promise.all([stranger.send(head, options), stranger.send(`${head}\r\n{`, options)]);
    for (const { closed, afterMs } of replies) {
      expect(closed).toBe(true);
      expect(afterMs).toBeLessThan(30_000);
    }
  });
});
