import fc from 'fast-check';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Tags } from '../../../src/domain/instance.js';
import type { CreateSpec } from '../../../src/drivers/driver.js';
import { launchTags, tagsAt } from '../../../src/drivers/ec2/launch-tags.js';
import { bootScript } from '../../../src/drivers/ec2/user-data.js';
import { ec2Error } from '../../support/ec2-proxy.js';
import { findTool, requireTool } from '../../support/tools.js';
import { errorOf, never, spec, type } from '../contract.js';
import { ec2World, type Ec2World } from './world.js';
import { FakeEc2, tagsIn } from './fake-ec2.js';

const options = { signal: never };
const small = type('small', { providerType: 't3.micro' });
const secretOf = (index: number) => `${index}`.repeat(40);
const wish = (index: number, change: Partial<CreateSpec> = {}): CreateSpec => ({
  ...spec({ instanceType: small, publicKey: undefined, imageId: 'ami-1' }),
  tags: { set: 'a', secret: `fingerprint ${index}` },
  initCommand: `echo ${secretOf(index)} >secret\ntrue`,
  secrets: [secretOf(index)],
  ...change,
});

let ec2: FakeEc2;
let world: Ec2World;

const open = async (parameters: Record<string, unknown> = {}): Promise<void> => {
  world = await ec2World({ instancesPerRequest: 4, ...parameters }, (request) => ec2.answer(request));
};
beforeEach(() => void (ec2 = new FakeEc2()));
afterEach(async () => world?.close());

const runs = (): URLSearchParams[] =>
  world.proxy.requests.filter(({ action }) => action === 'RunInstances').map(({ parameters }) => parameters);
const counts = (): string[] => runs().map((each) => `${each.get('MinCount')}..${each.get('MaxCount')}`);
const listed = async (): Promise<Record<string, Tags>> =>
  Object.fromEntries((await world.driver.list({ set: 'a' }, options)).map(({ id, tags }) => [id, tags]));
const requests = (count: number) => expect.poll(() => ec2.held.length).toBe(count);
const release = () => ec2.held.splice(0).forEach((go) => go());

/** The orders, all given while the request of the first one is under way. */
async function together(orders: readonly CreateSpec[]) {
  ec2.holds = true;
  const [first, ...others] = orders;
  const made = [world.driver.create(first!, options)];
  await requests(1);
  made.push(...others.map((order) => world.driver.create(order, options)));
  for (const each of made) each.catch(() => {});
  ec2.holds = false;
  release();
  return made;
}

describe('instances that are asked for while a request like theirs is under way', () => {
  it('are asked for at once, and each order gets its own (EC-10)', async () => {
    await open();
    const orders = [0, 1, 2, 3].map((index) => wish(index));
    const made = await Promise.all(await together(orders));
    expect(counts()).toEqual(['1..1', '1..3']);
    expect(new Set(made.map(({ id }) => id)).size).toBe(4);
    expect(made.map(({ tags }) => tags)).toEqual(orders.map(({ tags }) => tags));
    expect(await listed()).toEqual(Object.fromEntries(made.map(({ id, tags }) => [id, tags])));
  });

  it('go in requests of as many as are configured, and of no more tags and user data than EC2 takes', async () => {
    await open();
    const orders = [0, 1, 2, 3, 4, 5].map((index) => wish(index));
    await Promise.all(await together(orders));
    expect(counts()).toEqual(['1..1', '1..4', '1..1']);
    const long = (index: number) => wish(index, { initCommand: `# ${String(index).repeat(7_000)}` });
    await Promise.all(await together([6, 7, 8, 9].map(long)));
    expect(counts().slice(3)).toEqual(['1..1', '1..2', '1..1']);
    const tagged = (index: number) => {
      const many = Array.from({ length: 20 }, (_, key): [string, string] => [`key ${key}`, `${index}`]);
      return wish(index, { tags: { set: 'a', ...Object.fromEntries(many) } });
    };
    await Promise.all(await together([6, 7, 8, 9].map(tagged)));
    expect(counts().slice(6)).toEqual(['1..1', '1..2', '1..1']);
  });

  it('are asked for one by one unless the configuration says otherwise, and always when they are spot', async () => {
    await open({ instancesPerRequest: 1 });
    await Promise.all(await together([0, 1, 2].map((index) => wish(index))));
    expect(counts()).toEqual(['1..1', '1..1', '1..1']);
    await world.close();
    await open();
    const instanceType = { ...small, preemptible: true };
    await Promise.all(await together([0, 1, 2].map((index) => wish(index, { instanceType }))));
    expect(counts()).toEqual(['1..1', '1..1', '1..1']);
  });

  it('of another type, image or subnet do not wait', async () => {
    await open({ subnetId: ['a', 'b'] });
    ec2.holds = true;
    const made = [
      wish(0),
      wish(1, { instanceType: { ...small, providerType: 'm5.large' } }),
      wish(2, { imageId: 'ami-2' }),
      wish(3, { zone: 'b' }),
      wish(4, { instanceType: { ...small, addedScratchBytes: 1e9 } }),
    ].map((order) => world.driver.create(order, options));
    await requests(5);
    release();
    await Promise.all(made);
  });

  it('wait a second at most for one that has no answer', async () => {
    await open();
    ec2.holds = true;
    const made = [0, 1, 2].map((index) => world.driver.create(wish(index), options));
    await requests(1);
    await world.clock.advance(999);
    expect(runs()).toHaveLength(1);
    await world.clock.advance(1);
    await requests(2);
    expect(counts()).toEqual(['1..1', '1..2']);
    release();
    expect(new Set((await Promise.all(made)).map(({ id }) => id)).size).toBe(3);
  });

  it('are looked for in the next subnet as far as there is no room for all', async () => {
    await open({ subnetId: ['a', 'b'] });
    ec2.room['a'] = 3;
    const made = await Promise.all(await together([0, 1, 2, 3, 4].map((index) => wish(index))));
    expect(ec2.instances.map(({ subnet }) => subnet)).toEqual(['a', 'a', 'a', 'b', 'b']);
    expect(await listed()).toEqual(Object.fromEntries(made.map(({ id, tags }) => [id, tags])));
  });

  it('are a lack of capacity as far as EC2 made fewer', async () => {
    await open();
    ec2.room[''] = 3;
    const outcomes = await Promise.allSettled(await together([0, 1, 2, 3].map((index) => wish(index))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    const [, , , refused] = outcomes as PromiseRejectedResult[];
    expect(refused!.reason).toMatchObject({ code: 'capacity', scope: 'type' });
    expect(Object.values(await listed()).map(({ secret }) => secret)).toEqual(
      [0, 1, 2].map((index) => `fingerprint ${index}`),
    );
  });

  it('are known for what they are when the reply is lost, also to the driver after a restart', async () => {
    await open({ requestTimeout: '300ms' });
    const made = await together([0, 1, 2].map((index) => wish(index)));
    ec2.loses = true;
    const [, ...others] = await Promise.allSettled(made);
    expect(others.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await world.close();
    await open({ instancesPerRequest: 1 });
    const secrets = Object.values(await listed()).map(({ secret }) => secret);
    expect(secrets.sort()).toEqual([0, 1, 2].map((index) => `fingerprint ${index}`));
  });

  it('are the same when they are asked for once more', async () => {
    await open();
    const orders = [0, 1, 2].map((index) => wish(index));
    const made = await Promise.all(await together(orders));
    const again = await Promise.all(orders.map((order) => world.driver.create(order, options)));
    expect(again.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    expect(ec2.instances).toHaveLength(3);
  });

  it('are one for each wish, however often it is told at the same time', async () => {
    await open();
    const [a, b, c] = [wish(0), wish(1), wish(2)];
    const made = await Promise.all(await together([a, a, b, b, c, a, b, c]));
    const ids = made.map(({ id }) => id);
    const [ofA, , ofB, , ofC] = ids;
    expect(ids).toEqual([ofA, ofA, ofB, ofB, ofC, ofA, ofB, ofC]);
    expect(ec2.instances).toHaveLength(3);
  });

  it('that were refused together are asked for anew, each by itself', async () => {
    await open();
    ec2.room[''] = 1;
    const orders = [0, 1, 2].map((index) => wish(index));
    const outcomes = await Promise.allSettled(await together(orders));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    ec2.room[''] = 9;
    const before = runs().length;
    expect((await world.driver.create(orders[1]!, options)).tags).toEqual(orders[1]!.tags);
    expect(counts().slice(before)).toEqual(['1..1']);
  });

  it('are still made for the others when one gives up, and for nobody when all do', async () => {
    await open();
    ec2.holds = true;
    const hasty = [new AbortController(), new AbortController()];
    const first = world.driver.create(wish(0), options);
    await requests(1);
    const given = hasty.map(({ signal }, index) => errorOf(world.driver.create(wish(index + 1), { signal })));
    const patient = world.driver.create(wish(3), options);
    hasty[0]!.abort();
    expect((await given[0]!).code).toBe('aborted');
    release();
    await first;
    await requests(1);
    expect(counts()).toEqual(['1..1', '1..2']);
    hasty[1]!.abort();
    expect((await given[1]!).code).toBe('aborted');
    release();
    expect((await patient).tags['secret']).toBe('fingerprint 3');
    // What was ordered and given up is found in the list.
    const secrets = Object.values(await listed()).map(({ secret }) => secret);
    expect(secrets.sort()).toEqual([0, 2, 3].map((index) => `fingerprint ${index}`));
  });

  it('share an error, which tells no secret of any of them', async () => {
    await open();
    ec2.answer = ({ action, parameters }) => {
      if (action !== 'RunInstances') return Promise.resolve(undefined);
      const sent = parameters.get('UserData')!;
      const text = `UserData ${sent} (${Buffer.from(sent, 'base64').toString().replaceAll(/[<>&]/g, '')})`;
      const answer = ec2Error(400, 'InvalidParameterValue', text);
      return new Promise((resolve) => void ec2.held.push(() => resolve(answer)));
    };
    const secrets = [0, 1, 2].map(secretOf);
    const errors = [0, 1, 2].map((index) => errorOf(world.driver.create(wish(index), options), secrets));
    await requests(1);
    release();
    await requests(1);
    release();
    expect((await Promise.all(errors)).map(({ code }) => code)).toEqual(Array(3).fill('invalid'));
    expect(counts()).toEqual(['1..1', '1..2']);
  });
});

describe('tags of instances that were asked for together', () => {
  const three = async () => Promise.all(await together([0, 1, 2].map((index) => wish(index))));

  it('are on each with those of the others, and on what comes with them as far as all have them (DW-1)', async () => {
    await open();
    await three();
    const [, request] = runs();
    expect(tagsIn(request!, 'TagSpecification.1.Tag')).toEqual({
      set: 'a',
      'longshore:launch:0:secret': 'fingerprint 1',
      'longshore:launch:1:secret': 'fingerprint 2',
    });
    expect(tagsIn(request!, 'TagSpecification.2.Tag')).toEqual({ set: 'a' });
  });

  it('come back to each as they were ordered, whatever their keys and values are', () => {
    const key = fc.oneof(fc.constantFrom('a', 'b', 'constructor', '__proto__', '0:a'), fc.string());
    const tags = fc.array(fc.tuple(key, fc.string())).map((entries) => Object.fromEntries(entries) as Tags);
    fc.assert(
      fc.property(fc.array(tags, { minLength: 1, maxLength: 5 }), (all) => {
        const onInstances = launchTags(all);
        expect(all.map((_, index) => tagsAt(index, onInstances))).toEqual(all);
      }),
    );
  });

  it('are its own alone once they were written, and can go away (DI-11, DW-2)', async () => {
    await open();
    const [, { id } = { id: '' }] = await three();
    await world.driver.setTags(id, { set: 'a', secret: 'fingerprint 1', more: 'x' }, options);
    expect(ec2.instances.find((each) => each.id === id)!.tags).toEqual({
      set: 'a',
      secret: 'fingerprint 1',
      more: 'x',
    });
    await world.driver.setTags(id, { set: 'a' }, options);
    expect((await listed())[id]).toEqual({ set: 'a' });
  });

  it('that were written count, also where those of the request could not be taken away yet', async () => {
    await open();
    const [, { id } = { id: '' }] = await three();
    const answer = ec2.answer.bind(ec2);
    ec2.answer = (request) =>
      request.action === 'DeleteTags'
        ? Promise.resolve(ec2Error(503, 'Unavailable', 'The server is overloaded.'))
        : answer(request);
    await errorOf(world.driver.setTags(id, { set: 'a', secret: 'another' }, options));
    expect((await listed())[id]).toEqual({ set: 'a', secret: 'another' });
  });

  it('find it in a list, whichever of them is asked for', async () => {
    await open();
    const [, made] = await three();
    const found = await world.driver.list({ secret: 'fingerprint 1' }, options);
    expect(found.map(({ id }) => id)).toEqual([made!.id]);
    const asked = world.proxy.requests.at(-1)!.parameters;
    expect([asked.get('Filter.2.Name'), asked.get('Filter.2.Value.1')]).toEqual([
      'tag-value',
      'fingerprint 1',
    ]);
  });
});

describe('the user data of instances that were asked for together', () => {
  const run = promisify(execFile);
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'longshore-user-data-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** The metadata service of an instance, by session (IMDSv2), which is not there at first. */
  async function metadata(index: string) {
    let asked = 0;
    const server = createServer(({ method, url, headers }, response) => {
      if (asked++ === 0) return void response.writeHead(503).end();
      if (method === 'PUT' && url === '/latest/api/token' && headers['x-aws-ec2-metadata-token-ttl-seconds'])
        return void response.end('session');
      const isAllowed = headers['x-aws-ec2-metadata-token'] === 'session';
      if (!isAllowed || url !== '/latest/meta-data/ami-launch-index')
        return void response.writeHead(401).end();
      response.end(index);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  /** The system's own: what a version manager puts before it needs other programs. */
  function pathOf(name: string): string {
    const places = ['/usr/bin', '/bin'].map((place) => join(place, name));
    return places.find((each) => existsSync(each)) ?? findTool(name)!;
  }

  /** Runs it with these programs and no others. */
  async function boot(script: string, index: string, programs: readonly string[]): Promise<void> {
    for (const name of programs) symlinkSync(pathOf(name), join(folder, name));
    const { server, url } = await metadata(index);
    try {
      const env = { PATH: folder, LONGSHORE_METADATA_URL: url };
      await run('/bin/sh', ['-c', script], { cwd: folder, env, timeout: 300_000 });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  const commands = [0, 1, 2].map(
    (index) =>
      `umask 0177 && echo ${secretOf(index)} >secret\necho "common to all" >>secret\necho end >>secret`,
  );

  it.for(['curl', 'python3', 'wget'])(
    'runs what is meant for each, which finds its place with %s',
    { timeout: 300_000 },
    async (program, context) => {
      requireTool(context, program);
      await boot(bootScript(commands), '1', [program, 'sleep', 'cat']);
      expect(readFileSync(join(folder, 'secret'), 'utf8')).toBe(`${secretOf(1)}\ncommon to all\nend\n`);
    },
  );

  it('runs nothing on one that cannot be among them', async (context) => {
    requireTool(context, 'curl');
    await expect(boot(bootScript(commands), '7', ['curl', 'sleep'])).rejects.toMatchObject({
      stderr: expect.stringContaining("no place of this instance in its request: '7'") as string,
    });
    expect(existsSync(join(folder, 'secret'))).toBe(false);
  });

  it('has what they have in common once', () => {
    const script = bootScript(commands);
    expect(script.match(/common to all/g)).toHaveLength(1);
    expect(bootScript(['same\nfor', 'same\nfor'])).toContain('esac\nsame\nfor\n');
  });
});
