import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controllerToken, tokenUuid, uuidOf } from '../../support/fake-controller.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import { controllerWorld, states } from './world.js';

const folder = mkdtempSync(join(tmpdir(), 'longshore-controller-tls-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A certificate for 127.0.0.1 that signs itself. */
function selfSigned(): { key: string; cert: string } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=controller', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

describe('the connection to a controller', () => {
  let tls: { key: string; cert: string };
  beforeAll(() => {
    tls = selfSigned();
  });

  it('trusts the authority it is given, and names the setting when it trusts none', async () => {
    const trusting = await controllerWorld({ tls, client: { ca: tls.cert } });
    trusting.controller.add(1);
    await trusting.queue.update();
    expect(states(trusting.queue)).toEqual({ 1: 'Queued' });
    const doubting = await controllerWorld({ tls });
    await expect(doubting.queue.update()).rejects.toThrow(
      /^controller\.caFile: .* is not trusted .*: give the PEM file/,
    );
    expect(doubting.controller.requests).toEqual([]);
    const careless = await controllerWorld({ tls, client: { isInsecure: true } });
    await careless.queue.update();
    expect(careless.controller.requests.length).toBeGreaterThan(0);
  });

  it('names controller.url when nobody is there', async () => {
    const { controller, queue } = await controllerWorld();
    await controller.close();
    await expect(queue.update()).rejects.toThrow(
      /^controller\.url: .* cannot be reached \(ECONNREFUSED\): check/,
    );
  });

  it('names the token when it is refused, and never shows it', async () => {
    const { controller, queue } = await controllerWorld({ client: { token: 'v2/wrong/one' } });
    await expect(queue.update()).rejects.toThrow(
      "systemRootToken: the controller refuses it (401): give the cluster's SystemRootToken",
    );
    controller.fault = () => 500;
    const error = await queue.update().catch((cause: unknown) => cause);
    expect(JSON.stringify([String(error), error])).not.toContain('wrong');
  });

  it('waits no longer than it may for an answer', async () => {
    const clock = new HeapClock(0);
    const { controller, queue } = await controllerWorld({ client: { clock, timeoutMs: 5_000 } });
    controller.fault = () => 'slow';
    const failed = expect(queue.update()).rejects.toThrow(
      'controller.requestTimeout: GET /arvados/v1/api_client_authorizations/current had no answer within 5000 ms',
    );
    await expect.poll(() => controller.held).toBe(1);
    await clock.advance(5_000);
    await failed;
  });

  it('tells what the controller said, and that an answer is none of a controller', async () => {
    const { controller, queue } = await controllerWorld();
    controller.fault = () => 500;
    await expect(queue.update()).rejects.toThrow('with 500: it was told to fail');
    controller.fault = () => 'text';
    await expect(queue.update()).rejects.toThrow("is no JSON: is this the controller's address?");
    controller.fault = () => 301;
    await expect(queue.update()).rejects.toThrow(
      'controller.url: GET api_client_authorizations/current is sent elsewhere (301)',
    );
    controller.fault = () => undefined;
    controller.tokenUuid = 7 as unknown as string;
    await expect(queue.update()).rejects.toThrow(
      "controller.url: the controller's answer cannot be used: token.uuid",
    );
  });

  it('names itself and each request, and an error quotes the id that the controller logs', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1);
    await queue.update();
    controller.fault = ({ method }) => (method === 'POST' ? 422 : undefined);
    const error = await queue.lock(uuidOf(1)).catch((cause: unknown) => cause);
    const ids = controller.requests.map(({ headers }) => String(headers['x-request-id']));
    expect(ids.every((id) => /^req-[0-9a-z]{20}$/.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(String(error)).toContain(`(${ids.at(-1)!})`);
    expect(controller.requests.map(({ headers }) => headers['user-agent'])).toEqual(
      ids.map(() => 'longshore/test'),
    );
  });

  it('gives the token as the API wants it', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(1, { state: 'Locked', locked_by_uuid: tokenUuid });
    await queue.update();
    expect(states(queue)).toEqual({ 1: 'Locked' });
    expect(controllerToken.split('/')[1]).toBe(tokenUuid);
  });
});
