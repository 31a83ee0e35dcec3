import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { compose, type Daemon } from '../../src/daemon/daemon.js';
import { parseConfig } from '../../src/config/load.js';
import { ensureSecrets } from '../../src/config/secrets.js';
import { systemClock } from '../../src/domain/clock.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import { createLog } from '../../src/observability/log.js';
import { controllerToken, FakeController, uuidOf } from '../support/fake-controller.js';
import { deferred } from '../support/worker-world.js';

const patient = { timeout: 60_000, interval: 50 };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/**
 * Instances behind real SSH servers, whose runner reports to the controller as the reference's does: with what its start
 * document says, Running before anything runs, and the end before it goes itself.
 */
function reportingFleet() {
  const documents = new Map<string, Record<string, unknown>>();
  const starts = new Map<string, number>();
  const gates = new Map<string, ReturnType<typeof deferred<undefined>>>();
  /** True: the runner ends before it reports anything, as one does that cannot use its configuration. */
  const state = { endsAtOnce: false };
  const tell = async (uuid: string, state: string): Promise<void> => {
    const { ARVADOS_API_HOST, ARVADOS_API_TOKEN } = documents.get(uuid)!['Env'] as Record<string, string>;
    await fetch(`http://${ARVADOS_API_HOST}/arvados/v1/containers/${uuid}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${ARVADOS_API_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ container: { state } }),
    });
  };
  const host = new SshHost({
    clock: systemClock,
    random: Math.random,
    hasKnownHostKeys: true,
    knobsOf: () => ({ ...faultlessVm, keepsResults: false, killDelayMs: 50 }),
    execute: (uuid, document) => {
      documents.set(uuid, JSON.parse(document) as Record<string, unknown>);
      starts.set(uuid, (starts.get(uuid) ?? 0) + 1);
      if (state.endsAtOnce) return { durationMs: 20, exitCode: 1, stdout: '', stderr: '' };
      const begun = tell(uuid, 'Running');
      const report = async (exitCode: number): Promise<void> => {
        await begun;
        if (exitCode === 0) await gates.get(uuid)?.promise;
        await tell(uuid, exitCode === 0 ? 'Complete' : 'Cancelled');
      };
      return { durationMs: 50, exitCode: 0, stdout: '', stderr: '', report };
    },
  });
  const cloud = new SimulatedCloud({
    host,
    clock: systemClock,
    random: Math.random,
    onFault: (id, error) => expect.fail(`${id}: ${String(error)}`),
  });
  closers.push(() => cloud.close());
  return { cloud, documents, starts, gates, state };
}

async function daemonOn(controller: FakeController, cloud: SimulatedCloud, folder: string): Promise<Daemon> {
  const text = `clusterId: zzzzz
managementToken: token
systemRootToken: ${controllerToken}
stateDir: ./state
api: { listen: '127.0.0.1:0' }
driver: simulated
instanceTypes:
  small: { vcpus: 2, ram: 1GiB, includedScratch: 1GiB, price: 0.1 }
controller: { url: '${controller.url}', withoutLock: true }
runner: { deploy: '', command: crunch-run, runtimeEngine: singularity, arguments: [--foo] }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, staleLockTimeout: 5s, pollInterval: 200ms }
pool:
  bootProbeCommand: 'true'
  probeInterval: 100ms
  maxProbesPerSecond: 1000
  syncInterval: 500ms
  timeoutIdle: 500ms
  timeoutShutdown: 300ms
  timeoutSignal: 100ms
  maxCloudOpsPerSecond: 0
  maxConcurrentCreates: 4
  maxInstances: 4
`;
  const config = ensureSecrets(parseConfig(text, { path: join(folder, 'c.yaml'), env: {} }));
  const driver = new SimulatedDriver(cloud);
  const daemon = await compose({ config, clock: systemClock, log: createLog('silent'), driver });
  closers.push(() => daemon.stop());
  return daemon;
}

async function ask(daemon: Daemon, path: string, method = 'GET', body?: unknown) {
  const response = await fetch(daemon.url + path, {
    method,
    headers: {
      authorization: 'Bearer token',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('application/json') ?? false;
  return { status: response.status, text, json: isJson ? JSON.parse(text) : undefined };
}

it(
  "runs a controller's containers from Queued to Complete, through overload, a restart and a cancellation (Q-40..Q-43, SC-20, SY-1)",
  { timeout: 150_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-controller-'));
    closers.push(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
    const controller = await FakeController.start();
    closers.push(() => controller.close());
    const { cloud, documents, starts, gates } = reportingFleet();
    const stateOf = (n: number): string => controller.containers.get(uuidOf(n))!.state;
    const statesOf = (...numbers: number[]): string[] => numbers.map(stateOf);
    for (let n = 1; n <= 12; n++) controller.add(n);
    const tooLarge = controller.add(13, { runtime_constraints: { vcpus: 64, ram: 1 } });
    // These run until they are let go.
    for (const n of [1, 2, 3, 4]) gates.set(uuidOf(n), deferred());

    const first = await daemonOn(controller, cloud, folder);
    await expect.poll(() => statesOf(1, 2, 3, 4), patient).toEqual(Array(4).fill('Running'));
    await expect.poll(() => statesOf(5, 6, 7, 8, 9, 10, 11, 12), patient).toEqual(Array(8).fill('Complete'));
    await expect.poll(() => tooLarge.state, patient).toBe('Cancelled');
    expect(String(tooLarge.runtime_status['error'])).toContain('VCPUs 2 of 64');

    // What is the owner's to do is refused with the place to do it; the rest of the API serves.
    const submitted = await ask(first, '/v1/containers', 'POST', { containers: [{ command: ['true'] }] });
    expect([submitted.status, submitted.text]).toEqual([
      501,
      expect.stringContaining('make a container request there'),
    ]);
    expect((await ask(first, `/v1/containers/${uuidOf(1)}/logs`)).status).toBe(501);
    // The queue is as it was at the last poll.
    const running = async (): Promise<unknown[]> => {
      const { items } = (await ask(first, '/v1/containers?state=Running')).json;
      return items.map(({ uuid, instanceType }: Record<string, string>) => [uuid, instanceType]);
    };
    await expect.poll(running, patient).toEqual([1, 2, 3, 4].map((n) => [uuidOf(n), 'small']));
    const { instance } = (await ask(first, `/v1/containers/${uuidOf(1)}`)).json;
    expect((await ask(first, `/v1/explain/${uuidOf(1)}`)).text).toContain(instance);
    // One word of overload, and no more is begun than runs already.
    let overloads = 1;
    controller.fault = ({ query }) =>
      query['filters']?.includes('Queued') && overloads-- > 0 ? 503 : undefined;
    const value = async (series: string): Promise<number> =>
      Number(
        (await ask(first, '/metrics')).text.split(`\narvados_dispatchcloud_${series} `)[1]?.split('\n')[0],
      );
    await expect.poll(() => value('last_503_time'), patient).toBeGreaterThan(0);
    await expect.poll(() => value('max_concurrent_containers'), patient).toBe(3);
    controller.add(20);
    await expect.poll(() => value('queue_entries{state="Queued",instance_type="small"}'), patient).toBe(1);
    expect(await value('queue_entries{state="Running",instance_type="small"}')).toBe(4);
    const waitOf = async (): Promise<string> =>
      (await ask(first, '/v1/containers?state=Queued')).json.items[0]?.wait?.code;
    await expect.poll(waitOf, patient).toBe('cluster-limit');
    const { Env, ...others } = documents.get(uuidOf(1))!;
    expect(others).toEqual({ KeepBuffers: 0, Cluster: null, EC2SpotCheck: false });
    expect(Env).toMatchObject({
      ARVADOS_API_HOST: controller.url.replace('http://', ''),
      ARVADOS_API_TOKEN: controllerToken,
      GatewayAuthSecret: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await first.stop();

    // Nobody watches: one ends, another is not wanted any more, a third waits.
    gates.get(uuidOf(1))!.resolve(undefined);
    controller.containers.get(uuidOf(2))!.priority = 0n;
    await expect.poll(() => stateOf(1), patient).toBe('Complete');

    const second = await daemonOn(controller, cloud, folder);
    await expect.poll(() => statesOf(2, 20), patient).toEqual(['Cancelled', 'Complete']);
    expect(statesOf(3, 4)).toEqual(['Running', 'Running']);
    gates.get(uuidOf(3))!.resolve(undefined);
    await expect.poll(() => stateOf(3), patient).toBe('Complete');
    // An operator's word holds, too.
    expect((await ask(second, `/v1/containers/${uuidOf(4)}/cancel`, 'POST', {})).json.state).toBe(
      'Cancelled',
    );

    await expect.poll(() => cloud.instanceIds, patient).toEqual([]);
    await expect.poll(async () => (await ask(second, '/v1/containers')).json.items, patient).toEqual([]);
    const done = ['Queued', 'Locked', 'Running', 'Complete'];
    const ran = Object.fromEntries(controller.history);
    for (const n of [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 20]) expect(ran[uuidOf(n)]).toEqual(done);
    for (const n of [2, 4]) expect(ran[uuidOf(n)]).toEqual(['Queued', 'Locked', 'Running', 'Cancelled']);
    expect(ran[uuidOf(13)]).toEqual(['Queued', 'Locked', 'Cancelled']);
    expect([...starts.values()].every((count) => count === 1)).toBe(true);
    expect(starts.size).toBe(13);
    expect(await second.journal.read({ kind: 'invariant.violated', limit: 10 })).toEqual([]);
  },
);

it('says that attempts fail alike, one after the other, until one runs', { timeout: 150_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-controller-'));
  closers.push(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  const controller = await FakeController.start();
  closers.push(() => controller.close());
  const { cloud, gates, state } = reportingFleet();
  state.endsAtOnce = true;
  controller.add(1);
  const daemon = await daemonOn(controller, cloud, folder);
  const health = async () => (await ask(daemon, '/_health/ping')).json;
  await expect.poll(health, patient).toMatchObject({
    health: 'ERROR',
    error: expect.stringMatching(/^the last \d+ attempts failed alike: its runner ended before it ran/),
  });
  expect((await ask(daemon, '/v1/status')).json.health).toContain('attempts failed alike');
  expect(await daemon.journal.read({ kind: 'attempts.failing', limit: 10 })).not.toEqual([]);
  gates.set(uuidOf(1), deferred());
  state.endsAtOnce = false;
  await expect.poll(() => controller.containers.get(uuidOf(1))!.state, patient).toBe('Running');
  await expect.poll(health, patient).toEqual({ health: 'OK' });
  gates.get(uuidOf(1))!.resolve(undefined);
});
