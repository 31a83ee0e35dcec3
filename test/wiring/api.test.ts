import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementToken, startInProcess, type InProcess, type Reply } from '../support/in-process.js';

const patient = { timeout: 60_000, interval: 50 };
const root = '/arvados/v1/dispatch';
const form = {
  authorization: `Bearer ${managementToken}`,
  'content-type': 'application/x-www-form-urlencoded',
};

describe('the API of the whole daemon', { timeout: 120_000 }, () => {
  let app: InProcess;

  beforeAll(async () => {
    app = await startInProcess(`managementToken: ${managementToken}
driverParameters: { maxInstances: 2 }
instanceTypes: { small: { vcpus: 2, ram: 1GiB, includedScratch: 1GiB, price: 0.123 } }
pool: { bootProbeCommand: 'true', maxInstances: 2, timeoutIdle: 5m, timeoutSignal: 1s }`);
  });
  afterAll(() => app.stop());

  const submit = async (container: Record<string, unknown>): Promise<Reply['json']> => {
    const reply = await app.ask('/v1/containers', { body: { containers: [{ vcpus: 1, ...container }] } });
    expect([reply.status, reply.text]).toEqual([201, expect.any(String)]);
    return reply.json.items[0];
  };
  const stateOf = async (uuid: string): Promise<string> =>
    (await app.ask(`/v1/containers/${uuid}`)).json.state;

  it('lets in only who has the token, wherever it is carried (T-75, T-79, H-2)', async () => {
    const basic = Buffer.from(`x:${managementToken}`).toString('base64');
    const cookie = Buffer.from(managementToken).toString('base64url');
    const headers: [Record<string, string>, number][] = [
      [{}, 401],
      [{ authorization: 'Bearer wrong' }, 403],
      [{ authorization: `OAuth2 ${managementToken}` }, 200],
      [{ authorization: `Basic ${basic}` }, 200],
      [{ cookie: `a=b; arvados_api_token=${cookie}` }, 200],
    ];
    for (const [header, status] of headers) {
      expect((await app.ask(`${root}/instances`, { headers: header })).status).toBe(status);
    }
    expect((await app.ask(`${root}/instances?api_token=${managementToken}`, { headers: {} })).status).toBe(
      200,
    );
    expect((await app.ask('/nowhere', { headers: {} })).status).toBe(401);
    expect((await app.ask('/nowhere')).status).toBe(404);
    expect((await app.ask(`${root}/instances`, { method: 'POST', body: {} })).status).toBe(405);
  });

  it('answers about its health (H-19, H-21)', async () => {
    expect((await app.ask('/_health/ping')).json).toEqual({ health: 'OK' });
    const query = `/_health/ping?api_token=${managementToken}`;
    expect((await app.ask(query, { headers: {} })).status).toBe(401);
  });

  it('runs a container and keeps what it printed', async () => {
    const { uuid } = await submit({
      command: ['sh', '-c', 'echo "<b>hi</b>"; echo err >&2; exit 4'],
      name: '<i>',
    });
    await expect.poll(() => stateOf(uuid), patient).toBe('Complete');
    expect((await app.ask(`/v1/containers/${uuid}`)).json).toMatchObject({
      exitCode: 4,
      name: '<i>',
      wait: null,
    });
    const log = await app.ask(`/v1/containers/${uuid}/logs`);
    expect([log.text, log.headers.get('content-type'), log.headers.get('x-content-type-options')]).toEqual([
      '<b>hi</b>\n',
      'text/plain; charset=utf-8',
      'nosniff',
    ]);
    expect((await app.ask(`/v1/containers/${uuid}/logs?stream=stderr`)).text).toBe('err\n');
    expect((await app.ask(`/v1/explain/${uuid}`)).json.lines.join(' ')).toContain('exited with status 4');
  });

  it('shows the output of a running container, and cancels it', async () => {
    const { uuid } = await submit({ command: ['sh', '-c', 'echo begun; exec sleep 1000'] });
    await expect
      .poll(async () => (await app.ask(`/v1/containers/${uuid}/logs`)).text, patient)
      .toBe('begun\n');
    expect((await app.ask(`/v1/containers/${uuid}/cancel`, { body: { reason: 'enough' } })).json.state).toBe(
      'Cancelled',
    );
    const isFree = async (): Promise<boolean> =>
      app.daemon.pool.instances().every(({ containerUuids }) => !containerUuids.includes(uuid));
    await expect.poll(isFree, patient).toBe(true);
    expect((await app.ask(`/v1/containers/${uuid}`)).json.error).toContain('enough');
    expect((await app.ask(`/v1/containers/${uuid}/cancel`, { body: {} })).status).toBe(409);
  });

  it('cancels what no instance type holds, and names the closest', async () => {
    const { state, error } = await submit({ command: ['true'], vcpus: 64 });
    expect([state, error]).toEqual(['Cancelled', expect.stringContaining('small (VCPUs 2 of 64)')]);
  });

  it('says which field of a request is wrong', async () => {
    const bad = async (container: unknown): Promise<string> => {
      const reply = await app.ask('/v1/containers', { body: { containers: [container] } });
      expect(reply.status).toBe(400);
      return reply.json.errors.join(' ');
    };
    expect(await bad({ command: [] })).toContain('containers.0.command');
    expect(await bad({ command: ['x'], ram: 'lots' })).toContain('"lots" is no size');
    expect(await bad({ command: ['x'], env: { 'A B': 'c' } })).toContain('environment variable');
    expect(await bad({ command: ['x'], vcpu: 1 })).toContain('vcpu');
    expect(
      (
        await app.ask('/v1/containers', {
          body: 'no json',
          headers: { ...form, 'content-type': 'application/json' },
        })
      ).status,
    ).toBe(400);
    expect((await app.ask('/v1/containers?state=Lost')).status).toBe(400);
    expect((await app.ask(`/v1/containers/${encodeURIComponent("x'; rm -rf /")}`)).status).toBe(404);
  });

  it('serves instances in both shapes, and takes orders for them (T-77, T-78, H-13..H-17, L-30)', async () => {
    await expect.poll(() => app.daemon.pool.countWorkers().idle, patient).toBeGreaterThan(0);
    const { items } = (await app.ask(`${root}/instances`)).json;
    expect(items[0]).toMatchObject({
      price: 0.123,
      arvados_instance_type: 'small',
      provider_instance_type: 'small',
      worker_state: 'idle',
      idle_behavior: 'run',
      running_container_uuids: [],
    });
    const id = items[0].instance;
    const order = (name: string, body: string): Promise<Reply> =>
      app.ask(`${root}/instances/${name}`, { method: 'POST', body, headers: form });
    expect([(await order('hold', `instance_id=${id}`)).status, (await order('hold', '')).status]).toEqual([
      200, 400,
    ]);
    expect((await app.ask(`/v1/instances/${id}`)).json.idleBehavior).toBe('hold');
    const missing = await order('drain', 'instance_id=nobody');
    expect([missing.status, missing.text]).toEqual([
      404,
      '{"errors":["requested instance does not exist"]}\n',
    ]);
    expect((await order('kill', 'instance_id=nobody')).json.errors).toEqual(['instance not found']);
    expect((await order('run', `instance_id=${id}`)).status).toBe(200);
  });

  it('serves the queue in the order of the scheduler (T-80, H-10, H-11, H-12, API-9)', async () => {
    const { uuid } = await submit({ command: ['true'], priority: 0 });
    await expect
      .poll(async () => (await app.ask(`/v1/containers/${uuid}`)).json.state, patient)
      .toBe('Queued');
    const { json } = await app.ask(`${root}/containers`);
    expect(Array.isArray(json.items)).toBe(true);
    const missing = await app.ask(`${root}/container?container_uuid=nobody`);
    expect([missing.status, missing.json]).toEqual([404, { errors: ['container not found'] }]);
    const kill = (body: string): Promise<Reply> =>
      app.ask(`${root}/containers/kill`, { method: 'POST', body, headers: form });
    expect([(await kill('')).status, (await kill('container_uuid=nobody')).status]).toEqual([400, 404]);
    await app.ask(`/v1/containers/${uuid}`, { method: 'PATCH', body: { priority: 5 } });
    await expect.poll(() => stateOf(uuid), patient).toBe('Complete');
  });

  it('has every metric by its name (M-1..M-20, MT-1..MT-8)', async () => {
    const { text, headers } = await app.ask('/metrics');
    const names = `containers_running probe_age_seconds_max probe_age_seconds_median instances_total instances_price
      vcpus_total memory_bytes_total boot_outcomes instances_disappeared instances_time_to_ssh_seconds
      instances_time_to_ready_for_container_seconds instances_time_from_shutdown_request_to_disappearance_seconds
      containers_time_from_queue_to_crunch_run_seconds instances_run_probe_duration_seconds driver_operations
      containers_allocated_not_started containers_not_allocated_over_quota containers_longest_wait_time_seconds
      last_503_time max_concurrent_containers at_quota queue_entries`;
    for (const name of names.split(/\s+/)) expect(text).toContain(`# TYPE arvados_dispatchcloud_${name} `);
    expect(text).toMatch(/boot_outcomes\{outcome="success"\} [12]\n/);
    expect(text).toMatch(/driver_operations\{operation="Create",error="0"\} [12]\n/);
    expect(text).toContain('driver_operations{operation="SetTags",error="1"} 0');
    expect(text).toMatch(/instances_total\{category="idle",instance_type="small"\} \d/);
    expect(headers.get('content-type')).toContain('text/plain');
    expect(Array.isArray((await app.ask('/metrics.json')).json)).toBe(true);
  });

  it('makes the steps of an instance again, all with the outcome they had', async () => {
    const [view] = app.daemon.pool.instances();
    const { status, json } = await app.ask(`/v1/replay/${view!.instanceId}`);
    expect([status, json.instance]).toEqual([200, view!.instanceId]);
    expect(json.steps.length).toBeGreaterThan(5);
    const wrong = json.steps.filter(({ matches }: { matches: boolean }) => !matches);
    expect(JSON.stringify(wrong)).toBe('[]');
    expect(json.steps.map(({ before }: { before: string[] }) => before)).toContainEqual(
      expect.arrayContaining(['lifecycle', 'lifecycle.booting', 'lifecycle.booting.copied']),
    );
    expect((await app.ask('/v1/replay/nobody')).status).toBe(404);
    const { items } = (await app.ask(`/v1/journal?instance=${view!.instanceId}`)).json;
    expect(items.map(({ kind }: { kind: string }) => kind)).not.toContain('worker.step');
    const { items: steps } = (await app.ask(`/v1/journal?steps=1&instance=${view!.instanceId}`)).json;
    expect(steps.map(({ kind }: { kind: string }) => kind)).toContain('worker.step');
  });

  it('exports the journal as JSON lines', async () => {
    const lines = async (query: string): Promise<{ kind: string; instance?: string }[]> => {
      const { status, text, headers } = await app.ask(`/v1/journal/export${query}`);
      expect([status, headers.get('content-type')]).toEqual([200, 'application/x-ndjson; charset=utf-8']);
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string });
    };
    const kinds = (await lines('')).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['worker.transition', 'cloud.Create', 'plan.start']));
    expect(kinds).not.toContain('worker.step');
    expect((await lines('?steps=1')).map(({ kind }) => kind)).toContain('worker.step');
    expect(await lines('?kind=plan.start&limit=1')).toHaveLength(1);
    expect((await app.ask('/v1/journal/export?limit=none')).status).toBe(400);
  });

  it('describes itself', async () => {
    const { json } = await app.ask('/docs/json');
    expect(Object.keys(json.paths)).toEqual(
      expect.arrayContaining(['/v1/containers', '/v1/instances/{id}/hold']),
    );
  });
});

it('refuses everyone while no token is configured (T-76, H-1)', async () => {
  const app = await startInProcess('pool: { maxInstances: 1 }');
  try {
    const reply = await app.ask('/metrics');
    expect([reply.status, reply.text]).toEqual([403, 'Management API authentication is not configured']);
  } finally {
    await app.stop();
  }
});
