import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ec2Error } from '../../support/ec2-proxy.js';
import { errorOf, never, spec, type } from '../contract.js';
import { ec2World, instanceXml, reply, type Ec2World } from './world.js';

const options = { signal: never };
const ofThisHost = { accessKeyId: '', secretAccessKey: '' };
const wish = () => spec({ instanceType: type('small', { providerType: 't3.micro' }), publicKey: undefined });
const hour = 3_600_000;

let folder: string;
let world: Ec2World | undefined;
let endpoint: Server | undefined;
/** What the endpoint for credentials gives, in turn; the last one again and again. A number: that status. */
let given: ({ key: string; expiresInMs: number } | number)[];
/** How often it was asked. */
let asked: number;
/** Keys that EC2 does not take any more, and with which code it says so. */
let refused: Record<string, string>;

const secretOf = (key: string) => `secret+of/${key}`;
const tokenOf = (key: string) => `token+of/${key}`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'longshore-credentials-'));
  [given, asked, refused] = [[], 0, {}];
  for (const name of ['AWS_PROFILE', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await world?.close();
  endpoint?.closeAllConnections();
  await new Promise((resolve) => (endpoint ? endpoint.close(resolve) : resolve(undefined)));
  [world, endpoint] = [undefined, undefined];
  rmSync(folder, { recursive: true });
});

/** The credentials of a container's task: "Container credential provider", AWS SDKs and Tools Reference Guide. */
async function serveCredentials(): Promise<void> {
  endpoint = createServer((_request, response) => {
    const next = given[Math.min(asked++, given.length - 1)]!;
    if (typeof next === 'number') return void response.writeHead(next).end('{}');
    const { key, expiresInMs } = next;
    const Expiration = new Date(Date.now() + expiresInMs).toISOString();
    const body = { AccessKeyId: key, SecretAccessKey: secretOf(key), Token: tokenOf(key), Expiration };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => endpoint!.listen(0, '127.0.0.1', resolve));
  const { port } = endpoint.address() as AddressInfo;
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/role`);
}

/** A profile as `aws configure` writes it, which other programs write anew from time to time. */
function writeProfile(key: string): void {
  const lines = [
    '[default]',
    `aws_access_key_id = ${key}`,
    `aws_secret_access_key = ${secretOf(key)}`,
    `aws_session_token = ${tokenOf(key)}`,
  ];
  writeFileSync(join(folder, 'credentials'), lines.join('\n'));
}

const open = async (parameters: Record<string, unknown> = ofThisHost): Promise<Ec2World> => {
  world = await ec2World(parameters, ({ accessKeyId, action }) => {
    const code = refused[accessKeyId];
    // Some services repeat what was signed.
    const text = `Request has expired. (${tokenOf(accessKeyId)}, ${secretOf(accessKeyId)})`;
    if (code !== undefined) return ec2Error(400, code, text);
    if (action !== 'RunInstances') return undefined;
    return reply(action, `<instancesSet>${instanceXml({ id: 'i-0a', state: 'pending' })}</instancesSet>`);
  });
  return world;
};
const keysUsed = () => world!.proxy.requests.map(({ accessKeyId }) => accessKeyId);

describe('credentials of this host', () => {
  it('are had from the endpoint of its container, and kept while they are good (EC-4)', async () => {
    given = [{ key: 'ASIA1', expiresInMs: hour }];
    await serveCredentials();
    const { driver } = await open();
    await driver.list({}, options);
    await driver.create(wish(), options);
    expect([keysUsed(), asked]).toEqual([['ASIA1', 'ASIA1'], 1]);
  });

  it('that have reached their time are renewed before the next request (EC-4)', async () => {
    given = [
      { key: 'ASIA1', expiresInMs: -1_000 },
      { key: 'ASIA2', expiresInMs: hour },
    ];
    await serveCredentials();
    const { driver } = await open();
    await driver.list({}, options);
    await driver.list({}, options);
    expect(keysUsed().at(-1)).toBe('ASIA2');
  });

  it.each(['ExpiredToken', 'RequestExpired'])(
    'that AWS calls expired before their time (%s) are renewed, and the request is made again',
    async (code) => {
      given = [
        { key: 'ASIA1', expiresInMs: hour },
        { key: 'ASIA2', expiresInMs: hour },
      ];
      await serveCredentials();
      const { driver } = await open();
      await driver.list({}, options);
      refused = { ASIA1: code };
      const order = wish();
      expect((await driver.create(order, options)).id).toBe('i-0a');
      await driver.destroy('i-0a', options);
      expect([keysUsed(), asked]).toEqual([['ASIA1', 'ASIA1', 'ASIA2', 'ASIA2'], 2]);
      const [, first, second] = world!.proxy.requests;
      expect(second!.parameters.get('ClientToken')).toBe(first!.parameters.get('ClientToken'));
    },
  );

  it('are renewed for each of the calls that are refused at the same time', async () => {
    given = [
      { key: 'ASIA1', expiresInMs: hour },
      { key: 'ASIA2', expiresInMs: hour },
    ];
    await serveCredentials();
    const { driver } = await open();
    await driver.list({}, options);
    refused = { ASIA1: 'ExpiredToken' };
    const ids = ['i-01', 'i-02', 'i-03'];
    await Promise.all(ids.map((id) => driver.destroy(id, options)));
    expect(keysUsed().filter((key) => key === 'ASIA2')).toHaveLength(ids.length);
  });

  async function expectRenewal(write: (key: string) => void): Promise<void> {
    write('ASIA1');
    const { driver } = await open();
    await driver.list({}, options);
    refused = { ASIA1: 'ExpiredToken' };
    write('ASIA2');
    await driver.list({}, options);
    expect(keysUsed()).toEqual(['ASIA1', 'ASIA1', 'ASIA2']);
  }

  it('that a file holds are read anew when they have expired, as another program renews them', async () => {
    await expectRenewal(writeProfile);
  });

  it('that a program makes are made anew when they have expired', async () => {
    const program = join(folder, 'program.sh');
    const config = ['[default]', `credential_process = /bin/sh ${program}`];
    writeFileSync(join(folder, 'config'), config.join('\n'));
    const say = (key: string): void => {
      const made = {
        Version: 1,
        AccessKeyId: key,
        SecretAccessKey: secretOf(key),
        SessionToken: tokenOf(key),
      };
      writeFileSync(program, `echo '${JSON.stringify(made)}'`);
    };
    await expectRenewal(say);
  });

  it('that have expired and cannot be had anew are an auth error with its remedy, until they can', async () => {
    writeProfile('ASIA1');
    const { driver } = await open();
    await driver.list({}, options);
    refused = { ASIA1: 'ExpiredToken' };
    writeFileSync(join(folder, 'credentials'), '');
    const secrets = [secretOf('ASIA1'), tokenOf('ASIA1')];
    for (const call of [
      () => driver.create(wish(), options),
      () => driver.list({}, options),
      () => driver.destroy('i-0a', options),
      () => driver.setTags('i-0a', { a: 'b' }, options),
    ]) {
      const error = await errorOf(call(), secrets);
      expect(error.code).toBe('auth');
      expect(error.remedy).toContain('credentials');
      expect(error.message).toContain('no new credentials');
    }
    writeProfile('ASIA2');
    expect((await driver.create(wish(), options)).id).toBe('i-0a');
    expect(await driver.list({}, options)).toEqual([]);
  });

  it('that are renewed and refused all the same are asked for once a call', async () => {
    given = [{ key: 'ASIA1', expiresInMs: hour }];
    await serveCredentials();
    const { driver } = await open();
    await driver.list({}, options);
    refused = { ASIA1: 'RequestExpired' };
    const error = await errorOf(driver.list({}, options), [secretOf('ASIA1')]);
    expect(error).toMatchObject({ code: 'auth', remedy: expect.stringContaining('clock') as string });
    expect([keysUsed(), asked]).toEqual([['ASIA1', 'ASIA1', 'ASIA1'], 2]);
  });

  it('that are not there at all are an auth error with its remedy', async () => {
    const { driver } = await open();
    const error = await errorOf(driver.list({}, options));
    expect(error.code).toBe('auth');
    expect(error.remedy).toContain('driverParameters');
    expect(keysUsed()).toEqual([]);
  });
});

describe('a configured key', () => {
  it('is not given up for what this host has when AWS calls it expired', async () => {
    writeProfile('ASIA2');
    refused = { AKIA1: 'ExpiredToken' };
    const mine = { accessKeyId: 'AKIA1', secretAccessKey: secretOf('AKIA1'), sessionToken: tokenOf('AKIA1') };
    const { driver } = await open(mine);
    const error = await errorOf(driver.list({}, options), [mine.secretAccessKey, mine.sessionToken]);
    expect(error).toMatchObject({ code: 'auth', remedy: expect.stringContaining('renew') as string });
    expect(keysUsed()).toEqual(['AKIA1']);
  });
});
