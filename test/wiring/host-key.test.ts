import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { runCommand } from '../support/command-line.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';
import { RekeyedHost } from '../support/rekeyed-host.js';

const soon = { timeout: 30_000, interval: 20 };
const dispatchKey = generateKeyPair().privateKey;
const secretCommand = /^(sudo )?cat \/var\/run\/arvados-instance-secret$/;

let folder: string;
let host: RekeyedHost;
let cloud: SimulatedCloud;
let app: InProcess;

/** The next daemon of the same store and the same cloud. */
async function startDaemon(): Promise<void> {
  app = await startInProcess(
    `managementToken: ${managementToken}
systemRootToken: the-same-for-all
dispatchPrivateKey: |
${dispatchKey.trim().replaceAll(/^/gm, '  ')}
store: '${join(folder, 'store.db')}'
driver: simulated
instanceTypes: { small: { vcpus: 2, ram: 2GiB, includedScratch: 1GiB, price: 0.1 } }
pool:
  bootProbeCommand: 'true'
  maxInstances: 1
  syncInterval: 200ms
  probeInterval: 200ms
  timeoutBooting: 3s
  timeoutIdle: 10m
`,
    { driver: new SimulatedDriver(cloud) },
  );
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-host-key-'));
  host = new RekeyedHost();
  cloud = new SimulatedCloud({
    host,
    clock: systemClock,
    random: () => 0.5,
    knobs: {},
    onFault: (id, error) => {
      throw new Error(id, { cause: error });
    },
  });
  await startDaemon();
});
afterEach(async () => {
  await app.stop();
  await cloud.close();
  await rm(folder, { recursive: true, force: true });
});

const journalOf = async (kind: string) => (await app.ask(`/v1/journal?kind=${kind}&limit=100`)).json.items;
const keyOf = async (id: string) => (await app.ask(`/v1/instances/${id}/host-key`)).json;

async function submit(): Promise<string> {
  const container = { command: ['true'], vcpus: 1, ram: '16MiB', attempts: 3 };
  const { json } = await app.ask('/v1/containers', { body: { containers: [container] } });
  return json.items[0].uuid;
}

const recordOf = async (uuid: string) => (await app.ask(`/v1/containers/${uuid}`)).json;

/** Runs a container to its end and returns the instance that it ran on, with its key pinned for good. */
async function instanceInService(): Promise<string> {
  const uuid = await submit();
  await expect.poll(async () => (await recordOf(uuid)).state, soon).toBe('Complete');
  const [id] = cloud.instanceIds;
  await expect.poll(() => keyOf(id!), soon).toMatchObject({ isFinal: true, refused: null });
  return id!;
}

/** Start commands that the instance got since it has its present key. */
const startsOn = (id: string): string[] =>
  host.of(id).commands.filter((command) => command.includes('--detach'));

async function changes(): Promise<string[]> {
  const { text } = await app.ask('/metrics');
  return text.split('\n').filter((line) => /^longshore_host_key_changes_total\{.* [1-9]/.test(line));
}

describe('an instance whose host key changed while no daemon ran', () => {
  it('never gets a start document: it is refused, quarantined with the reason, and replaced', async () => {
    const id = await instanceInService();
    const before = host.of(id).fingerprint;
    await app.stop();
    await host.changeKey(id);
    const { commands, fingerprint } = host.of(id);
    await startDaemon();
    const uuid = await submit();
    await expect.poll(async () => (await recordOf(uuid)).state, soon).toBe('Complete');
    expect(startsOn(cloud.instanceIds[0]!)).toEqual([expect.stringContaining(uuid)]);
    expect(cloud.instanceIds).not.toContain(id);
    expect(commands.length).toBeGreaterThan(0);
    expect(commands.filter((command) => !secretCommand.test(command))).toEqual([]);
    const journal = await journalOf('instance.host-key-changed');
    expect(journal).toHaveLength(1);
    expect(journal[0]).toMatchObject({
      instance: id,
      to: 'refused',
      data: { before, now: fingerprint, type: 'ssh-ed25519' },
    });
    expect((await journalOf('instance.quarantined'))[0]).toMatchObject({
      instance: id,
      because: expect.stringContaining(`${fingerprint} (ssh-ed25519)`) as string,
    });
    expect(await changes()).toEqual(['longshore_host_key_changes_total{outcome="refused"} 1']);
    // Its row goes with it.
    await expect.poll(async () => (await app.ask(`/v1/instances/${id}/host-key`)).status, soon).toBe(404);
  });

  it('is used again once an operator accepts its key, which the next daemon knows', async () => {
    const id = await instanceInService();
    await app.ask(`/v1/instances/${id}/hold`, { body: {} });
    await expect.poll(() => cloud.instanceIds.length).toBe(1);
    await app.stop();
    await host.changeKey(id);
    const { fingerprint } = host.of(id);
    await startDaemon();
    await expect.poll(async () => (await keyOf(id))?.refused?.fingerprint, soon).toBe(fingerprint);
    const shown = runCommand(app, ['host-key', 'show', id]);
    expect(await shown.exitCode).toBe(0);
    expect(shown.output.out).toMatch(/refused\s+ssh-ed25519\s+SHA256:/);
    const accepted = runCommand(app, ['host-key', 'accept', id, fingerprint, '--reason', 'rebuilt']);
    expect(await accepted.exitCode).toBe(0);
    expect(accepted.output.out).toBe(`${id}\t${fingerprint}\taccepted\n`);
    expect(await keyOf(id)).toMatchObject({ fingerprint, isFinal: true, refused: null });
    const [order] = (await journalOf('operator.order')).filter(({ to }: { to: string }) =>
      /host key/.test(to),
    );
    expect(order).toMatchObject({ instance: id, because: expect.stringContaining('rebuilt') as string });
    await app.stop();
    await startDaemon();
    await app.ask(`/v1/instances/${id}/run`, { body: {} });
    const uuid = await submit();
    await expect.poll(async () => (await recordOf(uuid)).state, soon).toBe('Complete');
    expect(startsOn(id)).toEqual([expect.stringContaining(uuid)]);
    expect(cloud.instanceIds).toEqual([id]);
  });
});

describe('an instance whose host key changes in service', () => {
  it('gets no command, no shell and no log request, until an operator accepts the key and it takes work again', async () => {
    const id = await instanceInService();
    await app.ask(`/v1/instances/${id}/hold`, { body: {} });
    await host.changeKey(id);
    const { commands, fingerprint } = host.of(id);
    await expect.poll(async () => (await keyOf(id)).refused?.fingerprint, soon).toBe(fingerprint);
    const shell = runCommand(app, ['ssh', id, '--', 'true']);
    expect(await shell.exitCode).not.toBe(0);
    expect(commands.filter((command) => !secretCommand.test(command))).toEqual([]);
    const { status, json } = await app.ask(`/v1/instances/${id}/accept-host-key`, { body: {} });
    expect([status, json.fingerprint]).toEqual([200, fingerprint]);
    const uuid = await submit();
    await expect.poll(async () => (await recordOf(uuid)).state, soon).toBe('Complete');
    expect(startsOn(id)).toEqual([expect.stringContaining(uuid)]);
    expect(await changes()).toEqual([
      'longshore_host_key_changes_total{outcome="refused"} 1',
      'longshore_host_key_changes_total{outcome="accepted"} 1',
    ]);
    const explained = (await app.ask(`/v1/explain/${id}`)).text;
    expect(explained).toContain('Its host key changed from SHA256:');
  });

  it('cannot have its key accepted when it is unknown, shows no other, or the fingerprint is none', async () => {
    const id = await instanceInService();
    const statusOf = async (which: string, body: object): Promise<number> =>
      (await app.ask(`/v1/instances/${which}/accept-host-key`, { body })).status;
    expect([
      await statusOf('none', {}),
      await statusOf(id, {}),
      await statusOf(id, { fingerprint: 'SHA256:short' }),
      (await app.ask('/v1/instances/none/host-key')).status,
    ]).toEqual([404, 409, 400, 404]);
    const failed = runCommand(app, ['host-key', 'accept', id]);
    expect([await failed.exitCode, failed.output.err]).toEqual([
      1,
      expect.stringContaining('give the fingerprint'),
    ]);
  });
});
