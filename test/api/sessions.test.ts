import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { DaemonProcess } from '../support/daemon.js';

const patient = { timeout: 60_000, interval: 100 };

describe('the login of a browser', { timeout: 300_000 }, () => {
  let daemon: DaemonProcess;

  beforeAll(async () => {
    daemon = await DaemonProcess.create();
    expect(await daemon.start()).toBeUndefined();
  }, 120_000);
  afterAll(() => daemon.remove());

  const url = (): string => readFileSync(daemon.path('state', 'api-address'), 'utf8').trim();
  /** The cookie of a new session. */
  const logIn = async (): Promise<string> => {
    const reply = await fetch(`${url()}/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: daemon.token }),
    });
    expect(reply.status).toBe(200);
    return reply.headers.get('set-cookie')!.split(';')[0]!;
  };
  const status = async (cookie: string, path = '/v1/status'): Promise<number> => {
    const reply = await fetch(url() + path, { headers: { cookie } });
    await reply.body?.cancel();
    return reply.status;
  };
  const change = async (headers: Record<string, string>): Promise<number> => {
    const body = JSON.stringify({ key: 'none' });
    const json = { 'content-type': 'application/json' };
    const reply = await fetch(`${url()}/v1/breakers/reset`, {
      method: 'POST',
      headers: { ...json, ...headers },
      body,
    });
    return reply.status;
  };
  const openShell = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url().replace(/^http/, 'ws')}/v1/instances/none/shell`, { headers });
      socket.once('unexpected-response', (_request, response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      socket.once('open', () => reject(new Error('a shell of no instance is open')));
      socket.once('error', reject);
    });
  const sessions = async (): Promise<{ id: string; address: string }[]> =>
    (await daemon.call<{ items: { id: string; address: string }[] }>('/v1/sessions')).items;

  it('outlives a restart of the daemon, and ends everywhere with the logout', async () => {
    const cookie = await logIn();
    const other = await logIn();
    await daemon.end('SIGTERM');
    await daemon.start();
    expect([await status(cookie), await status(other)]).toEqual([200, 200]);
    await fetch(`${url()}/v1/logout`, { method: 'POST', headers: { cookie } });
    expect([await status(cookie), await status(other)]).toEqual([401, 200]);
    await daemon.end('SIGKILL');
    await daemon.start();
    expect([await status(cookie), await status(other)]).toEqual([401, 200]);
  });

  it('is listed without its secret, and ended by its id with the streams it has open', async () => {
    const known = new Set((await sessions()).map(({ id }) => id));
    const cookie = await logIn();
    const added = (await sessions()).filter(({ id }) => !known.has(id));
    expect(added).toEqual([
      expect.objectContaining({ address: expect.stringContaining('127.0.0.1') as string }),
    ]);
    expect(JSON.stringify(added)).not.toContain(cookie.split('=')[1]!.split('.')[0]);
    const stream = await fetch(`${url()}/v1/events`, { headers: { cookie } });
    expect(stream.status).toBe(200);
    const ended = stream.text().then(
      () => true,
      () => true,
    );
    await daemon.call(`/v1/sessions/${added[0]!.id}/end`, {});
    expect(await ended).toBe(true);
    expect(await status(cookie)).toBe(401);
    await expect(daemon.call(`/v1/sessions/${added[0]!.id}/end`, {})).rejects.toThrow('404');
  });

  it('ends the oldest of more than 100', async () => {
    const oldest = await logIn();
    for (let index = 0; index < 101; index++) await logIn();
    expect(await sessions()).toHaveLength(100);
    await expect.poll(() => status(oldest), patient).toBe(401);
  });

  it('is not forged, and a cookie of an earlier version asks to log in again', async () => {
    const cookie = await logIn();
    expect(await status(`${cookie}x`)).toBe(401);
    expect(await status(`longshore_session=${Date.now() + 1e9}.abc.def`)).toBe(401);
  });

  it('needs the header of the page for a change, as the token in a cookie does (H-2)', async () => {
    const session = await logIn();
    const token = `arvados_api_token=${Buffer.from(daemon.token).toString('base64url')}`;
    for (const cookie of [session, token]) {
      expect(await status(cookie)).toBe(200);
      expect(await change({ cookie })).toBe(403);
      expect(await change({ cookie, 'x-longshore-page': '1' })).toBe(404);
    }
    expect(await change({ authorization: `Bearer ${daemon.token}` })).toBe(404);
    const authorization = `Basic ${Buffer.from(`x:${daemon.token}`).toString('base64')}`;
    expect(await change({ authorization })).toBe(404);
    expect(await change({ authorization, origin: 'http://elsewhere.example' })).toBe(403);
  });

  it('opens no shell with a cookie, and none from another site with any token', async () => {
    const cookie = `arvados_api_token=${Buffer.from(daemon.token).toString('base64url')}`;
    const page = { 'x-longshore-page': '1' };
    const authorization = `Bearer ${daemon.token}`;
    expect(await openShell({ cookie, ...page })).toBe(403);
    expect(await openShell({ cookie: await logIn(), ...page })).toBe(403);
    expect(await openShell({ authorization, origin: 'http://elsewhere.example' })).toBe(403);
    expect(await openShell({ authorization, origin: 'null' })).toBe(403);
    expect(await openShell({ authorization })).toBe(404);
    expect(await openShell({ authorization, origin: url() })).toBe(404);
  });
});
