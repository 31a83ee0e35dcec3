import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.js';
import { LyingFleet, type ContainerBody } from '../support/lying-fleet.js';
import { lies } from '../support/lying-server.js';

const patient = { timeout: 60_000, interval: 50 };
let fleet: LyingFleet;
const folders: string[] = [];

afterEach(async () => {
  await fleet.stop();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const instance = async (id: string): Promise<unknown> => (await fleet.app.ask(`/v1/instances/${id}`)).json;
const metrics = async (): Promise<string> => (await fleet.app.ask('/metrics')).text;

it(
  'of an instance is shown in the API, metrics, explain and commands, with what it did; an operator clears it, or destroys it',
  { timeout: 180_000 },
  async () => {
    fleet = await LyingFleet.start({ runMs: 600_000 });
    const uuid = await fleet.submit(60);
    await expect.poll(() => fleet.container(uuid), patient).toMatchObject({ state: 'Running' });
    const [id, liar] = fleet.liars[0]!;
    expect(await instance(id)).toMatchObject({ quarantine: null, conduct: null, idleBehavior: 'run' });
    expect(await metrics()).toContain('longshore_instances_quarantined 0');

    const because = expect.stringMatching(/^it named 2000 containers/) as string;
    const inside = {
      state: 'running',
      idleBehavior: 'drain',
      quarantine: { since: expect.any(String) as string, because },
      conduct: { strikes: { list: 1 }, claimsRefused: 0, bytesLeftOut: 0 },
    };
    liar.lie('list', lies.adds(lies.madeUpIds(2_000, '', 'wired')));
    await expect.poll(() => instance(id), patient).toMatchObject(inside);
    expect(await metrics()).toContain('longshore_instances_quarantined 1');
    expect(await metrics()).toContain('longshore_instance_strikes_total{kind="list"} 1');
    const { text } = await fleet.app.ask(`/v1/explain/${id}`);
    expect(text).toContain('It has been quarantined since');
    expect(text).toContain('strikes by kind: 1 list');
    expect(text).toContain(`longshore quarantine clear ${id}`);
    for (const [command, shown] of [
      ['quarantine', /1 list\s+it named 2000 containers/],
      ['instances', /running \(quarantine\)/],
    ] as const) {
      const run = runCommand(fleet.app, [command]);
      expect([await run.exitCode, run.output.err]).toEqual([0, '']);
      expect(run.output.out).toMatch(shown);
    }

    liar.beHonest();
    const clear = runCommand(fleet.app, ['quarantine', 'clear', id, '--reason', 'looked at it']);
    expect([await clear.exitCode, clear.output.out]).toEqual([0, `${id}\tcleared\n`]);
    expect(await instance(id)).toMatchObject({ quarantine: null, conduct: null, idleBehavior: 'run' });
    expect(await metrics()).toContain('longshore_instances_quarantined 0');
    expect((await fleet.app.ask(`/v1/instances/${id}/clear-quarantine`, { body: {} })).status).toBe(404);

    liar.lie('list', lies.adds(lies.madeUpIds(2_000, '', 'wired')));
    await expect.poll(() => instance(id), patient).toMatchObject(inside);
    const kill = runCommand(fleet.app, ['kill', id]);
    expect([await kill.exitCode, kill.output.err]).toEqual([0, `${id}: 200 OK\n`]);
    await expect.poll(() => fleet.liars.map(([each]) => each), patient).not.toContain(id);
    await expect.poll(metrics, patient).toContain('longshore_instances_quarantined 0');
  },
);

it(
  'is known to the next daemon with its reason and strikes, and spares the containers there',
  { timeout: 180_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-quarantine-'));
    folders.push(folder);
    fleet = await LyingFleet.start({ runMs: 600_000, more: `store: '${join(folder, 'store.db')}'` });
    const uuid = await fleet.submit(60);
    await expect.poll(() => fleet.container(uuid), patient).toMatchObject({ state: 'Running' });
    const [id, liar] = fleet.liars[0]!;
    liar.lie('list', lies.adds(lies.madeUpIds(2_000, '', 'wired')));
    await expect
      .poll(() => instance(id), patient)
      .toMatchObject({ quarantine: expect.anything() as unknown });
    liar.beHonest();
    const { quarantine, conduct } = (await instance(id)) as { quarantine: unknown; conduct: unknown };
    await fleet.app.stop();
    await fleet.startDaemon();
    const same = { state: 'running', idleBehavior: 'drain', quarantine, conduct, containers: [uuid] };
    await expect.poll(() => instance(id), patient).toMatchObject(same);
    expect(await metrics()).toContain('longshore_instances_quarantined 1');
    expect((await fleet.app.ask(`/v1/explain/${id}`)).text).toContain('it named 2000 containers');
    expect(await fleet.container(uuid)).toMatchObject({ state: 'Running', instance: id, attempts: 1 });

    const clear = runCommand(fleet.app, ['quarantine', 'clear', id]);
    expect([await clear.exitCode, clear.output.err]).toEqual([0, '']);
    await fleet.app.stop();
    await fleet.startDaemon();
    const free = { state: 'running', idleBehavior: 'run', quarantine: null };
    await expect.poll(() => instance(id), patient).toMatchObject(free);
  },
);

it(
  'ends after the grace time with the instance: what runs there runs again elsewhere, without a charged attempt',
  { timeout: 180_000 },
  async () => {
    fleet = await LyingFleet.start({ runMs: 600_000, pool: 'quarantineGrace: 3s' });
    const uuid = await fleet.submit(60);
    await expect.poll(() => fleet.container(uuid), patient).toMatchObject({ state: 'Running', attempts: 1 });
    const [id, liar] = fleet.liars[0]!;
    liar.lie('list', lies.adds(lies.madeUpIds(2_000, '', 'wired')));
    await expect.poll(() => fleet.liars.map(([each]) => each), patient).not.toContain(id);
    const where = async (): Promise<unknown> => {
      const { state, attempts, instance } = (await fleet.container(uuid)) as ContainerBody & {
        attempts: number;
      };
      return { state, attempts, isElsewhere: instance !== id };
    };
    await expect.poll(where, patient).toEqual({ state: 'Running', attempts: 1, isElsewhere: true });
    const journal = async (kind: string): Promise<unknown> =>
      (await fleet.app.ask(`/v1/journal?kind=${kind}`)).json.items[0];
    const because = 'its containers did not end within 3s of its quarantine';
    expect(await journal('operator.order')).toMatchObject({ instance: id, to: 'kill', because });
    expect(await journal('container.reverted')).toMatchObject({
      container: uuid,
      because: expect.stringContaining('its instance was destroyed in quarantine: it named 2000') as string,
    });
  },
);
