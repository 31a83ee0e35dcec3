import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaemonProcess } from '../support/daemon.js';
import { findSchemathesis, fuzz, missingSchemathesis } from '../support/schemathesis.js';

interface Parameter {
  name: string;
  required?: boolean;
  schema: object;
}
interface Operation {
  parameters?: Parameter[];
  security?: object[];
  responses: Record<string, { headers?: Record<string, unknown> }>;
}
interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
  security: object[];
  components: { securitySchemes: Record<string, unknown> };
}

const patient = { timeout: 60_000, interval: 100 };
const seed = Number(process.env['LONGSHORE_FUZZ_SEED'] ?? 1);

describe('the OpenAPI document', { timeout: 900_000 }, () => {
  let daemon: DaemonProcess;
  let url: string;
  let document: ApiDocument;

  beforeAll(async () => {
    // Nothing that a fuzz run submits is ever run: no instance boots.
    daemon = await DaemonProcess.create("timeoutBooting: 1h, bootProbeCommand: 'false',");
    const path = daemon.path('longshore.yaml');
    await writeFile(path, readFileSync(path, 'utf8').replace("bootProbeCommand: 'true', ", ''));
    expect(await daemon.start()).toBeUndefined();
    url = readFileSync(daemon.path('state', 'api-address'), 'utf8').trim();
    document = await daemon.call<ApiDocument>('/docs/json');
  }, 120_000);
  afterAll(() => daemon.remove());

  const operations = (): [string, string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, each]): [string, string, Operation] => [
        method.toUpperCase(),
        path.replaceAll(/\{\w+\}/g, 'x'),
        each,
      ]),
    );
  const statusOf = async (
    method: string,
    path: string,
    headers: Record<string, string>,
  ): Promise<Response> => {
    const reply = await fetch(url + path, { method, headers });
    await reply.body?.cancel();
    return reply;
  };

  it('names the ways to log in, and every operation that takes no token answers 401 without', async () => {
    expect(Object.keys(document.components.securitySchemes)).toEqual(['bearer', 'basic', 'query', 'session']);
    expect(document.security).toHaveLength(4);
    const open: string[] = [];
    for (const [method, path, { security }] of operations()) {
      const { status } = await statusOf(method, path, {});
      if (security?.length === 0) open.push(path);
      expect([method, path, status === 401]).toEqual([method, path, security === undefined]);
    }
    expect(open.sort()).toEqual(['/v1/login', '/v1/logout']);
  });

  it('has 405 for every operation, and the answer names the methods in Allow', async () => {
    const bearer = { authorization: `Bearer ${daemon.token}` };
    for (const [method, path, { responses }] of operations()) {
      expect(responses['405']?.headers).toHaveProperty('allow');
      for (const other of ['DELETE', 'OPTIONS', 'PUT']) {
        const { status, headers } = await statusOf(other, path, bearer);
        expect([other, path, status]).toEqual([other, path, 405]);
        expect(headers.get('allow')?.split(', ')).toContain(method);
      }
    }
    expect((await statusOf('DELETE', '/nowhere', bearer)).status).toBe(404);
  });

  it('is kept: requests made from it get no answer outside it and none of 500 and above', async (context) => {
    const program = findSchemathesis();
    if (program === undefined && process.env['CI'] === 'true') throw new Error(missingSchemathesis);
    if (program === undefined) return context.skip(missingSchemathesis);
    const submitted = { containers: [{ command: ['true'] }, { command: ['true'] }] };
    const { items } = await daemon.call<{ items: { uuid: string }[] }>('/v1/containers', submitted);
    const instances = async (): Promise<string[]> => {
      const all = await daemon.call<{ items: { instance: string }[] }>('/v1/instances');
      return all.items.map(({ instance }) => instance).filter((id) => id !== '');
    };
    await expect.poll(instances, patient).not.toEqual([]);
    const path = daemon.path('openapi.json');
    const known = { uuid: items.map(({ uuid }) => uuid), id: await instances() };
    await writeFile(path, JSON.stringify(withIds(document, known)));
    const run = await fuzz(program, { url, token: daemon.token, document: path, seed });
    expect([run.exitCode, run.exitCode === 0 ? '' : run.report]).toEqual([0, '']);
    expect(readdirSync('.').filter((name) => /^\.?(schemathesis|hypothesis)/.test(name))).toEqual([]);
    expect(run.operations).toBe(operations().length - 2);
    expect(run.cases).toBeGreaterThan(500);
    expect(daemon.log).not.toContain('request failed');
  });
});

/** The same document; ids of things that are there are among the values of parameters, and nothing is followed. */
function withIds(document: ApiDocument, { uuid, id }: { uuid: string[]; id: string[] }): ApiDocument {
  const copy = structuredClone(document);
  const ids: Record<string, string[]> = { uuid, container_uuid: uuid, id, instance: id, instance_id: id };
  for (const { parameters = [] } of Object.values(copy.paths).flatMap((each) => Object.values(each))) {
    for (const parameter of parameters) {
      const known = ids[parameter.name];
      if (known && parameter.required) parameter.schema = { anyOf: [{ enum: known }, parameter.schema] };
      if (parameter.name === 'follow') parameter.schema = { enum: ['0'] };
    }
  }
  return copy;
}
