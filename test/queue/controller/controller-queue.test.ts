import { describe, expect, it } from 'vitest';
import { MandateError } from '../../../src/domain/leader-guard.js';
import { tokenUuid, uuidOf, type FakeRequest } from '../../support/fake-controller.js';
import { controllerWorld, states } from './world.js';

const isList =
  (text: string) =>
  ({ method, path, query }: FakeRequest): boolean =>
    method === 'GET' && path === 'containers' && (query['filters'] ?? '').includes(text);
const isMounts = ({ query }: FakeRequest): boolean => query['select'] === '["mounts"]';
const supervisor = { scheduling_parameters: { supervisor: true } };

describe('reading the containers of a controller', () => {
  it('asks for the fields it needs, its own by key and the available ones by priority (Q-17, Q-30..Q-32)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    controller.add(2, { state: 'Locked', locked_by_uuid: tokenUuid });
    controller.add(3, { state: 'Locked', locked_by_uuid: 'zzzzz-gj3su-of-another-one-' });
    controller.add(4, { priority: 0n });
    controller.add(5, { state: 'Complete' });
    await queue.update();
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Queued', 2: 'Locked' });
    const fields = [
      'uuid',
      'state',
      'priority',
      'runtime_constraints',
      'container_image',
      'scheduling_parameters',
      'created_at',
    ];
    const base = { select: JSON.stringify(fields), count: 'none' };
    expect(controller.lists('locked_by_uuid')[0]).toEqual({
      ...base,
      filters: JSON.stringify([['locked_by_uuid', '=', tokenUuid]]),
      order: 'uuid',
      limit: '1000',
    });
    expect(controller.lists('Queued')[0]).toEqual({
      ...base,
      filters: '[["state","=","Queued"],["priority",">","0"]]',
      order: 'priority desc',
      limit: '100',
      offset: '0',
    });
    const tokens = controller.requests.filter(({ path }) => path.startsWith('api_client_auth'));
    expect(tokens).toHaveLength(1);
  });

  it('goes on behind the last id of a page of its own (T-15, Q-31)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.pageLimit = 2;
    for (const n of [1, 2, 3]) controller.add(n, { state: 'Running', locked_by_uuid: tokenUuid });
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Running', 2: 'Running', 3: 'Running' });
    const mine = controller.lists('locked_by_uuid');
    expect(mine.map(({ filters }) => JSON.parse(filters!) as unknown)).toEqual([
      [['locked_by_uuid', '=', tokenUuid]],
      [
        ['locked_by_uuid', '=', tokenUuid],
        ['uuid', '>', uuidOf(2)],
      ],
      [
        ['locked_by_uuid', '=', tokenUuid],
        ['uuid', '>', uuidOf(3)],
      ],
    ]);
    expect(mine.every(({ offset }) => offset === undefined)).toBe(true);
  });

  it('looks ahead until enough that are no supervisors are known (T-14, Q-32, W-15)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.pageLimit = 50;
    for (let n = 1; n <= 300; n++) controller.add(n);
    for (let n = 301; n <= 360; n++) controller.add(n, supervisor);
    await queue.update();
    expect(queue.entries().entries.size).toBe(200);
    expect(controller.lists('Queued').map(({ offset }) => offset)).toEqual(['0', '50', '100', '150']);
  });

  it('looks for missing ones twenty at a time (T-11, Q-33)', async () => {
    const { controller, queue } = await controllerWorld();
    for (let n = 1; n <= 45; n++) controller.add(n, { state: 'Locked', locked_by_uuid: tokenUuid });
    await queue.update();
    for (const each of controller.containers.values()) {
      each.state = 'Complete';
      each.locked_by_uuid = null;
    }
    await queue.update();
    const lookups = controller.lists('["uuid","in"');
    const sizes = lookups.map(
      ({ filters }) => (JSON.parse(filters!) as [[string, string, string[]]])[0][2].length,
    );
    expect(sizes).toEqual([20, 20, 5]);
    expect(lookups[0]).toMatchObject({ order: 'uuid' });
    expect(lookups[0]).not.toHaveProperty('limit');
    expect(new Set(Object.values(states(queue)))).toEqual(new Set(['Complete']));
    // Those that ended are asked for no more, and go with the next update.
    await queue.update();
    expect(queue.entries().entries.size).toBe(0);
    expect(controller.lists('["uuid","in"')).toHaveLength(3);
  });

  it('asks again for those a short answer left out (Q-34)', async () => {
    const { controller, queue } = await controllerWorld();
    for (let n = 1; n <= 5; n++) controller.add(n);
    await queue.update();
    for (const each of controller.containers.values()) each.priority = 0n;
    controller.pageLimit = 2;
    await queue.update();
    expect(Object.keys(states(queue))).toHaveLength(5);
    expect(controller.lists('["uuid","in"')).toHaveLength(3);
    expect(queue.get(uuidOf(3))?.priority).toBe(0n);
  });

  it('drops at once what the controller does not know any more, though the update fails later (T-12, Q-34)', async () => {
    const { controller, queue, told } = await controllerWorld();
    for (let n = 1; n <= 25; n++) controller.add(n);
    await queue.update();
    for (let n = 1; n <= 20; n++) controller.containers.delete(uuidOf(n));
    for (let n = 21; n <= 25; n++) controller.containers.get(uuidOf(n))!.priority = 0n;
    controller.fault = (request) =>
      isList('["uuid","in"')(request) && request.query['filters']!.includes(uuidOf(25)) ? 500 : undefined;
    await expect(queue.update()).rejects.toMatchObject({ code: 'unavailable' });
    expect(Object.keys(states(queue))).toEqual(['21', '22', '23', '24', '25']);
    expect(told.gone).toHaveLength(20);
    controller.fault = () => undefined;
    await queue.update();
    expect(Object.keys(states(queue))).toEqual(['21', '22', '23', '24', '25']);
  });

  it('fails when it is told of a container it did not ask for, rather than go on for ever (T-13, Q-35)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    const stranger = controller.add(2, { priority: 0n });
    controller.containers.get(uuidOf(1))!.priority = 0n;
    controller.extra = ({ filters }) => (filters!.includes('["uuid","in"') ? [stranger] : []);
    await expect(queue.update()).rejects.toThrow(`told of ${uuidOf(2)}, which it was not asked for`);
    controller.extra = ({ filters }) => (filters!.includes('locked_by_uuid') ? [stranger] : []);
    await expect(queue.update()).rejects.toThrow('again and again');
    expect(states(queue)).toEqual({ 1: 'Queued' });
  });

  it.each(['locked_by_uuid', 'Queued', '["uuid","in"'])(
    'changes nothing when the list with %s fails (T-9, Q-12)',
    async (which) => {
      const { controller, queue } = await controllerWorld();
      controller.add(1);
      await queue.update();
      const { threshold } = queue.entries();
      controller.add(2);
      controller.containers.get(uuidOf(1))!.priority = 0n;
      for (const fault of [503, 500, 'network', 'text', 'lost'] as const) {
        controller.fault = (request) => (isList(which)(request) ? fault : undefined);
        await expect(queue.update()).rejects.toMatchObject({ name: 'QueueError', code: 'unavailable' });
      }
      expect([states(queue), queue.entries().threshold]).toEqual([{ 1: 'Queued' }, threshold]);
    },
  );

  it('tells apart priorities beyond 2^53 (CR-6)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, { priority: 562948375092493200n });
    controller.add(2, { priority: 562948375092493201n });
    await queue.update();
    expect([1, 2].map((n) => queue.get(uuidOf(n))?.priority)).toEqual([
      562948375092493200n,
      562948375092493201n,
    ]);
  });

  it('reads what a container wants, mounts included, and its mounts only once (Q-20, CR-2..CR-4)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, {
      runtime_constraints: {
        vcpus: 2,
        ram: 1_000,
        keep_cache_ram: 20,
        keep_cache_disk: 30,
        gpu: { stack: '', driver_version: '11.0', hardware_target: ['9.0'], device_count: 0, vram: 0 },
      },
      scheduling_parameters: { preemptible: false, supervisor: true },
      mounts: {
        '/a': { kind: 'tmp', capacity: 5 },
        '/b': { kind: 'tmp', capacity: 7 },
        '/c': { kind: 'text' },
      },
    });
    await queue.update();
    await queue.update();
    expect(queue.get(uuidOf(1))).toMatchObject({
      constraints: { vcpus: 2, ramBytes: 1_000, keepCacheRamBytes: 20, keepCacheDiskBytes: 30 },
      scheduling: { preemptible: false, supervisor: true, maxRunTimeMs: 0 },
      tmpMountBytes: 12,
      createdAt: Date.parse('2026-01-02T03:04:05.678Z'),
    });
    expect(controller.requests.filter(isMounts)).toHaveLength(1);
  });

  it('leaves a container out while its mounts cannot be had, and tries again (T-19, Q-21)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    for (const fault of ['network', 500, 'text'] as const) {
      controller.fault = (request) => (isMounts(request) ? fault : undefined);
      await queue.update();
      expect(states(queue)).toEqual({});
    }
    expect(controller.changes(uuidOf(1))).toEqual([]);
    controller.fault = () => undefined;
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Queued' });
  });

  it('reads the mounts of many at once, and is read meanwhile (Q-3, W-1)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    for (let n = 2; n <= 40; n++) controller.add(n);
    controller.fault = (request) => (isMounts(request) ? 'slow' : undefined);
    const updating = queue.update();
    await expect.poll(() => controller.held).toBe(4);
    await queue.lock(uuidOf(1));
    expect(states(queue)).toEqual({ 1: 'Locked' });
    controller.fault = () => undefined;
    controller.release();
    await updating;
    expect(Object.keys(states(queue))).toHaveLength(40);
    expect(queue.get(uuidOf(1))?.state).toBe('Locked');
  });

  it('reads fewer mounts at once after a 503, and more again once there is none (Q-20, SC-20)', async () => {
    const { controller, queue } = await controllerWorld();
    const readsAtOnce = async (from: number, atOnce: number): Promise<void> => {
      for (let n = from; n < from + 8; n++) controller.add(n);
      controller.fault = (request) => (isMounts(request) ? 'slow' : undefined);
      const updating = queue.update();
      await expect.poll(() => controller.held).toBe(atOnce);
      // Another call goes there and back, and no further one has come before it.
      await queue.find(uuidOf(1));
      expect(controller.held).toBe(atOnce);
      controller.fault = () => undefined;
      controller.release();
      await updating;
    };
    controller.add(1);
    controller.fault = (request) => (isMounts(request) ? 503 : undefined);
    await queue.update();
    expect(states(queue)).toEqual({});
    await readsAtOnce(2, 2);
    await readsAtOnce(10, 3);
    expect(Object.keys(states(queue))).toHaveLength(17);
  });

  it('keeps a container that runs, whether its mounts can be read or not: its process would be ended', async () => {
    const { controller, queue, told } = await controllerWorld();
    controller.add(1, { state: 'Running', locked_by_uuid: tokenUuid });
    controller.fault = (request) => (isMounts(request) ? 500 : undefined);
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Running' });
    expect(told.faults.map(([uuid]) => uuid)).toEqual([uuidOf(1)]);
  });

  it('is not known at all while the mounts of a locked container cannot be read (Q-12)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, { state: 'Locked', locked_by_uuid: tokenUuid });
    controller.add(2);
    controller.fault = (request) => (isMounts(request) && request.path.includes(uuidOf(1)) ? 500 : undefined);
    await expect(queue.update()).rejects.toThrow(
      `the mounts of ${uuidOf(1)} cannot be read, which is locked`,
    );
    expect(states(queue)).toEqual({});
    controller.fault = () => undefined;
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Locked', 2: 'Queued' });
  });

  it('passes over a record that makes no sense, and keeps what it knew of it (SY-1)', async () => {
    const { controller, queue, told } = await controllerWorld();
    controller.add(1);
    await queue.update();
    controller.add(2, { runtime_constraints: { vcpus: 'many' } });
    controller.add(3);
    controller.containers.get(uuidOf(1))!.runtime_constraints = { vcpus: null, ram: 'much' };
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Queued', 3: 'Queued' });
    expect(told.faults.map(([uuid]) => uuid).sort()).toEqual([uuidOf(1), uuidOf(2)]);
  });

  it('says that clusterId is wrong when the controller is of another cluster', async () => {
    const { queue } = await controllerWorld({ clusterId: 'other' });
    await expect(queue.update()).rejects.toThrow(
      'clusterId: the controller is of cluster zzzzz: set clusterId: zzzzz',
    );
  });
});

describe('a container that can never run', () => {
  const tooLarge = { runtime_constraints: { vcpus: 64, ram: 1 } };

  it('is locked, told why and cancelled, in that order, and never listed (T-17, Q-23, Q-24)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, tooLarge);
    await queue.update();
    expect(states(queue)).toEqual({});
    await expect.poll(() => controller.containers.get(uuidOf(1))!.state).toBe('Cancelled');
    const [lock, error, cancel] = controller.changes(uuidOf(1));
    expect([lock, cancel]).toEqual(['POST lock', 'PUT {"state":"Cancelled"}']);
    expect(error).toContain('constraints cannot be met by any configured instance type');
    expect((await queue.find(uuidOf(1)))?.error).toContain('VCPUs 2 of 64');
  });

  it('is told that its mounts could not be read, and how (T-18, Q-21)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, { mounts: { stdin: ['bork'] } });
    await queue.update();
    await expect.poll(() => controller.containers.get(uuidOf(1))!.state).toBe('Cancelled');
    const { error } = controller.containers.get(uuidOf(1))!.runtime_status;
    expect(error).toMatch(/mounts could not be read: mounts\.stdin: .*expected object, received array/);
  });

  it('is told nothing while it cannot be locked, and is tried again (T-20, Q-24)', async () => {
    const { controller, queue, told } = await controllerWorld();
    controller.add(1, tooLarge);
    controller.fault = ({ path }) => (path.endsWith('/lock') ? 503 : undefined);
    await queue.update();
    await expect.poll(() => told.faults).toHaveLength(1);
    expect(controller.changes(uuidOf(1))).toEqual(['POST lock']);
    controller.fault = () => undefined;
    await queue.update();
    await expect.poll(() => controller.containers.get(uuidOf(1))!.state).toBe('Cancelled');
    expect(controller.containers.get(uuidOf(1))!.runtime_status).toHaveProperty('error');
  });

  it('is no fault when somebody else cancelled it first (Q-24)', async () => {
    const { controller, queue, told } = await controllerWorld();
    const container = controller.add(1, tooLarge);
    controller.onRequest = ({ method }) => {
      if (method === 'PUT') Object.assign(container, { state: 'Cancelled', locked_by_uuid: null });
    };
    await queue.update();
    await expect.poll(() => controller.requests.at(-1)?.query['select']).toBe('["state"]');
    await queue.stop();
    expect(told.faults).toEqual([]);
  });

  it('stays known when it runs already (T-21, Q-23)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, { ...tooLarge, state: 'Running', locked_by_uuid: tokenUuid });
    await queue.update();
    expect(queue.entries().entries.get(uuidOf(1))?.instanceTypes).toEqual([]);
  });
});

describe('changing the containers of a controller', () => {
  it('shows a lock at once, and the refusal of a second one (T-1..T-4, Q-40..Q-44)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    controller.add(2);
    await queue.update();
    await expect(queue.unlock(uuidOf(1))).rejects.toThrow('cannot unlock when Queued');
    await queue.lock(uuidOf(1));
    expect(states(queue)).toEqual({ 1: 'Locked', 2: 'Queued' });
    await expect(queue.lock(uuidOf(1))).rejects.toMatchObject({ code: 'conflict' });
    await queue.unlock(uuidOf(1));
    await queue.cancel(uuidOf(2));
    expect(states(queue)).toEqual({ 1: 'Queued', 2: 'Cancelled' });
    await expect(queue.lock(uuidOf(2))).rejects.toMatchObject({ code: 'conflict' });
    expect(controller.changes(uuidOf(2))).toEqual(['PUT {"state":"Cancelled"}', 'POST lock']);
  });

  it('never lets an older answer undo it (T-5, T-6, Q-16)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    controller.fault = (request) => (isList('Queued')(request) ? 'slow' : undefined);
    const updating = queue.update();
    await expect.poll(() => controller.held).toBe(1);
    await queue.lock(uuidOf(1));
    controller.fault = () => undefined;
    controller.release();
    await updating;
    expect(states(queue)).toEqual({ 1: 'Locked' });
  });

  it('shows what the server made of the last unlock it allows (T-22, CR-15, Q-43)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.maxDispatchAttempts = 10;
    controller.add(1, { state: 'Locked', lock_count: 10, locked_by_uuid: tokenUuid });
    await queue.update();
    await queue.unlock(uuidOf(1));
    expect(states(queue)).toEqual({ 1: 'Cancelled' });
  });

  it('makes each call once, and learns of one whose answer was lost with the next update (Q-44, Q-45)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    controller.fault = ({ path }) => (path.endsWith('/lock') ? 'lost' : undefined);
    await expect(queue.lock(uuidOf(1))).rejects.toMatchObject({ code: 'unavailable' });
    expect(states(queue)).toEqual({ 1: 'Queued' });
    expect(controller.changes(uuidOf(1))).toEqual(['POST lock']);
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Locked' });
  });

  it('cancels one whose process was lost, but not one that ended well meanwhile (CR-11, SY-1)', async () => {
    const { controller, queue } = await controllerWorld();
    const [lost, done] = [1, 2].map((n) =>
      controller.add(n, { state: 'Running', locked_by_uuid: tokenUuid }),
    );
    await queue.update();
    done!.state = 'Complete';
    await queue.lost(lost!.uuid);
    await queue.lost(done!.uuid);
    expect(states(queue)).toEqual({ 1: 'Cancelled', 2: 'Complete' });
    expect(controller.history.get(done!.uuid)).toEqual(['Running']);
    expect(done!.state).toBe('Complete');
  });

  it('changes nothing while another daemon leads, but what people order', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    queue.standBy();
    await expect(queue.lock(uuidOf(1))).rejects.toMatchObject({ code: 'superseded' });
    queue.lead({ confirm: () => Promise.reject(new MandateError()), assert: () => {} });
    await expect(queue.lock(uuidOf(1))).rejects.toMatchObject({ code: 'superseded' });
    expect(controller.changes(uuidOf(1))).toEqual([]);
    await queue.cancel(uuidOf(1));
    expect(states(queue)).toEqual({ 1: 'Cancelled' });
  });

  it('remembers when it was last told that the server is overloaded, by whatever call (SC-20, CR-18)', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    expect(queue.last503At()).toBe(0);
    controller.fault = ({ path }) => (path.endsWith('/lock') ? 503 : undefined);
    const before = Date.now();
    await expect(queue.lock(uuidOf(1))).rejects.toMatchObject({ code: 'unavailable' });
    expect(queue.last503At()).toBeGreaterThanOrEqual(before);
  });
});
