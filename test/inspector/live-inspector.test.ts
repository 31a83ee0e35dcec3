import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { InspectChoice } from '../../src/inspector/inspect-choice.js';
import { startLiveInspector, type LiveInspector } from '../../src/inspector/live-inspector.js';
import { startViewerServer } from '../../src/inspector/viewer-server.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { PoolWorld } from '../support/pool-world.js';
import { typeT } from '../support/scheduling-world.js';
import { Viewer } from '../support/viewer.js';
import { failure, uuid1 } from '../support/worker-world.js';

const [type1, type2] = [typeT(1), typeT(2)];
const toClose: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function inspected(
  choice: InspectChoice,
  secrets: string[] = [],
): Promise<{ world: PoolWorld; inspector: LiveInspector; warnings: string[]; join(): Promise<Viewer> }> {
  const warnings: string[] = [];
  const warn = (what: string): void => void warnings.push(what);
  const inspector = await startLiveInspector({ choice, port: 0, secrets, warn });
  toClose.push(() => inspector.close());
  const world = new PoolWorld({ types: [type1, type2], inspection: inspector.observerOf });
  toClose.push(() => world.pool.stop());
  const join = async (): Promise<Viewer> => {
    const viewer = await Viewer.join(inspector.url);
    toClose.push(() => viewer.leave());
    return viewer;
  };
  return { world, inspector, warnings, join };
}

describe('the inspector', () => {
  it('shows the actors, events and snapshots of the chosen worker and of none else, also if it appears later', async () => {
    const { world, join } = await inspected({ kind: 'instance', id: 'b' });
    const viewer = await join();
    world.add('a', type1);
    await world.start();
    world.add('b', type1);
    await world.sync();
    for (const id of ['a', 'b']) await world.visit(id);
    world.roster.send('b', { type: 'container.assigned', uuid: uuid1, queuedAt: 0 });
    await settle();
    await expect.poll(() => viewer.stateOf('b', 'lifecycle')).toBe('running');
    expect(viewer.actors()).toEqual(
      expect.arrayContaining(['b', 'bootProbe', 'runProbe', uuid1, 'startContainer']),
    );
    expect(viewer.actors()[0]).toBe('b');
    expect(viewer.eventsOf('b')).toEqual(
      expect.arrayContaining([
        'xstate.init',
        'probe.due',
        'xstate.done.actor.runProbe',
        'container.assigned',
      ]),
    );
    const [first] = viewer.shown;
    expect(JSON.parse(first!.definition!)).toMatchObject({ id: 'worker', type: 'parallel' });
    expect([...viewer.roots()]).toEqual([first!.sessionId]);
    await expect.poll(() => viewer.eventsOf('b').length).toBeGreaterThan(5);
    expect(viewer.texts.join('\n')).not.toContain('"a"');
    world.cloud.delete('b');
    for (let lists = 0; lists < 2; lists++) await world.sync();
    await expect.poll(() => viewer.stateOf('b', 'lifecycle')).toBe('gone');
  });

  it('tells who comes later of every worker of the chosen type as it is', async () => {
    const { world, join } = await inspected({ kind: 'type', name: type2.name });
    for (const id of ['a', 'b', 'c']) world.add(id, id === 'a' ? type1 : type2);
    await world.start();
    for (const id of ['a', 'b', 'c']) await world.visit(id);
    world.roster.send('c', { type: 'container.assigned', uuid: uuid1, queuedAt: 0 });
    await settle();
    const viewer = await join();
    await expect.poll(() => viewer.actors()).toEqual(expect.arrayContaining(['b', 'c', uuid1]));
    expect([viewer.stateOf('b', 'lifecycle'), viewer.stateOf('c', 'lifecycle')]).toEqual(['idle', 'running']);
    expect(viewer.actors()).not.toContain('a');
  });

  it('goes on with the worker that takes the place of one that broke', async () => {
    const { world, join } = await inspected({ kind: 'all' });
    world.add('a', type1);
    await world.start();
    world.sabotage = () => {
      throw new Error('a fault of ours');
    };
    await world.visit('a');
    world.sabotage = () => {};
    const viewer = await join();
    await world.clock.advance(5_000);
    await expect.poll(() => viewer.stateOf('a', 'lifecycle')).toBe('unknown');
    expect(viewer.actors().filter((name) => name === 'a')).toHaveLength(1);
  });

  it('lets no secret out', async () => {
    const { world, join } = await inspected({ kind: 'all' }, ['hush-hush-token']);
    const viewer = await join();
    world.add('a', type1, {
      tags: {
        LongshoreInstanceType: type1.name,
        LongshoreIdleBehavior: 'run',
        LongshoreInstanceSecret: 'bare-secret',
      },
    });
    world.probe = () => ({
      ...failure,
      stderr: 'it said hush-hush-token twice: hush-hush-token',
      durationMs: 1,
    });
    await world.start();
    await world.visit('a');
    world.roster.send('a', { type: 'operator.hold', because: 'hush-hush-token' });
    await expect.poll(() => viewer.eventsOf('a')).toContain('operator.hold');
    await expect.poll(() => viewer.texts.join('\n')).toContain('it said [redacted] twice: [redacted]');
    const all = viewer.texts.join('\n');
    expect(all).not.toMatch(/hush-hush|bare-secret/);
    expect(all).toContain('"LongshoreInstanceSecret":"[redacted]"');
  });

  it('writes nothing while nobody looks', async () => {
    const { world, inspector, warnings, join } = await inspected({ kind: 'all' });
    world.add('a', type1);
    await world.start();
    const unreadable = {
      type: 'operator.hold',
      because: '',
      toJSON: () => {
        throw new Error('was written');
      },
    } as const;
    world.roster.send('a', unreadable);
    await settle();
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
    const viewer = await join();
    world.roster.send('a', unreadable);
    await expect.poll(() => warnings).toContainEqual(expect.stringContaining('was written'));
    await expect.poll(() => viewer.actors()).toContain('a');
    expect(inspector.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
  });
});

describe('the server of the inspector', () => {
  const unused = { port: 0, joined: () => {}, warn: () => {} };

  it('speaks only to those who know its key, and to no page of another site', async () => {
    const server = await startViewerServer(unused);
    toClose.push(() => server.close());
    const { origin, host } = new URL(server.url);
    await expect(Viewer.join(origin)).rejects.toThrow('401');
    await expect(Viewer.join(`${origin}/${'0'.repeat(32)}`)).rejects.toThrow('401');
    await expect(Viewer.join(server.url, { headers: { origin: 'https://example.org' } })).rejects.toThrow(
      '401',
    );
    await expect(Viewer.join(server.url, { headers: { host: 'rebound.example.org' } })).rejects.toThrow(
      '401',
    );
    expect((await fetch(origin)).status).toBe(404);
    const page = await fetch(server.url);
    expect([page.status, page.headers.get('content-security-policy')]).toEqual([
      200,
      expect.stringContaining("frame-src https://stately.ai; connect-src 'self'"),
    ]);
    const viewer = await Viewer.join(server.url, { headers: { origin: `http://${host}` } });
    expect(server.viewers()).toBe(1);
    viewer.leave();
    await expect.poll(() => server.viewers()).toBe(0);
  });

  it('sends away who does not read, and never waits for anybody', async () => {
    const warnings: string[] = [];
    const server = await startViewerServer({ ...unused, warn: (what) => void warnings.push(what) });
    toClose.push(() => server.close());
    const other = await Viewer.join(server.url);
    const dead = await deadViewer(server.url);
    await expect.poll(() => server.viewers()).toBe(2);
    const text = JSON.stringify('x'.repeat(2 ** 20));
    for (let told = 0; server.viewers() > 1; told++) {
      expect(told).toBeLessThan(200);
      server.send(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(warnings).toEqual(['a viewer of the inspector read too slowly and was disconnected']);
    expect(other.socket.readyState).toBe(other.socket.OPEN);
    other.leave();
    dead.destroy();
  });

  it('says so when its port is taken', async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    toClose.push(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    await expect(startViewerServer({ ...unused, port })).rejects.toMatchObject({
      name: 'InspectError',
      message: `the inspector cannot listen on port ${port} (EADDRINUSE)`,
      remedy: expect.stringContaining('--inspect-port') as string,
    });
  });
});

/** Shakes hands and reads nothing from then on. */
function deadViewer(url: string): Promise<Socket> {
  const { hostname, port, pathname, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(
    [
      `GET ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      '\r\n',
    ].join('\r\n'),
  );
  return new Promise((resolve) =>
    socket.once('data', () => {
      socket.pause();
      resolve(socket);
    }),
  );
}
