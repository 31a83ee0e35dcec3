import {
  DescribeKeyPairsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVolumesCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import type { Tags } from '../../../src/domain/instance.js';
import type { Driver, DriverError } from '../../../src/drivers/driver.js';
import { ec2OfferedTypes } from '../../../src/drivers/ec2/offered-types.js';
import { parseEc2Parameters } from '../../../src/drivers/ec2/parameters.js';
import { openDriver } from '../../../src/drivers/registry.js';
import { ec2Error, startEc2Proxy, type Ec2Proxy } from '../../support/ec2-proxy.js';
import { findMoto, missingMoto, startMoto, type Moto } from '../../support/moto.js';
import { startPriceList } from '../../support/price-list.js';
import { errorOf, never, spec, type } from '../contract.js';
import { credentials } from './world.js';

const program = findMoto();
const options = { signal: never };
const region = 'us-east-1';
const imageId = 'ami-12c6146b';
/** The emulator takes milliseconds for each instance it makes or tells of, many on a busy machine. */
const patience = 600_000;

let moto: Moto;
let proxy: Ec2Proxy;
let ec2: EC2Client;
const opened: Driver[] = [];

const open = async (more: Record<string, unknown> = {}): Promise<Driver> => {
  const driver = await openDriver('ec2', {
    parameters: { region, ...credentials, endpoint: proxy.url, ...more },
    instanceSetId: 'zzzzz-gj3su-abc',
    stateDir: '.',
    clock: systemClock,
    random: Math.random,
    resourceTags: { Owner: 'tests' },
    warn: () => {},
  });
  opened.push(driver);
  return driver;
};
const wish = (change: Parameters<typeof type>[1] = {}, tags: Tags = { set: 'a' }) =>
  spec({ imageId, tags, instanceType: type('small', { providerType: 't3.micro', ...change }) });

describe('the ec2 driver on moto', { timeout: patience }, () => {
  beforeAll(async () => {
    if (program === undefined && process.env['CI'] === 'true') throw new Error(missingMoto);
    if (program === undefined) return;
    moto = await startMoto(program);
    ec2 = new EC2Client({ region, endpoint: moto.url, credentials: { ...credentials } });
  }, patience);
  afterAll(async () => {
    ec2?.destroy();
    await moto?.stop();
  });
  beforeEach(async (context) => {
    if (program === undefined) context.skip(missingMoto);
    await moto.reset();
    proxy = await startEc2Proxy(moto.url);
  });
  afterEach(async () => {
    for (const driver of opened.splice(0)) await driver.stop();
    await proxy?.close();
  });

  it('lists a thousand instances by tag, page by page (EC-40)', async () => {
    const [reservations, each] = [20, 50];
    for (let made = 0; made < reservations; made++) {
      const Tags = [{ Key: 'set', Value: made % 2 === 0 ? 'a' : 'b' }];
      const count = { MinCount: each, MaxCount: each };
      const TagSpecifications = [{ ResourceType: 'instance' as const, Tags }];
      await ec2.send(
        new RunInstancesCommand({
          ImageId: imageId,
          InstanceType: 't3.micro',
          TagSpecifications,
          ...count,
        }),
      );
    }
    // It pages by calls to RunInstances, of which there are fewer than the driver takes at once.
    proxy.rewrite = (body) => body.replace('MaxResults=1000', 'MaxResults=4');
    const instances = await (await open()).list({ set: 'a' }, options);
    expect(new Set(instances.map(({ id }) => id)).size).toBe((reservations / 2) * each);
    expect(instances.every(({ tags, address }) => tags['set'] === 'a' && address !== '')).toBe(true);
    expect(proxy.requests.map(({ action }) => action)).toEqual(Array(3).fill('DescribeInstances'));
  });

  it('makes a spot instance with a volume, and tags all that comes with it (EC-12..EC-16, DW-1)', async () => {
    const driver = await open({ ebsVolumeType: 'gp3' });
    const { id } = await driver.create(wish({ preemptible: true, addedScratchBytes: 3e10 }), options);
    const { Volumes = [] } = await ec2.send(
      new DescribeVolumesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] }),
    );
    const scratch = Volumes.find(({ Attachments }) => Attachments?.[0]?.Device === '/dev/xvdt');
    expect(scratch).toMatchObject({ Size: 28, Tags: [{ Key: 'set', Value: 'a' }] });
    const { NetworkInterfaces = [] } = await ec2.send(
      new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [id] }] }),
    );
    expect(NetworkInterfaces).toHaveLength(1);
    const history = async () => (await driver.list({}, options))[0]!.priceHistory;
    await expect.poll(history, { timeout: patience }).toHaveLength(1);
    await driver.destroy(id, options);
    expect(await driver.list({}, options)).toEqual([]);
  });

  it('makes several in one request, each known by its own tags, as long as one like them is under way', async () => {
    let release = (): void => {};
    const isHeld = new Promise<void>((resolve) => (release = resolve));
    const runs = () => proxy.requests.filter(({ action }) => action === 'RunInstances');
    proxy.intercept = ({ action }) =>
      action === 'RunInstances' && runs().length === 1 ? isHeld.then(() => undefined) : undefined;
    const driver = await open({ instancesPerRequest: 5 });
    const wishes = [1, 2, 3, 4, 5, 6, 7, 8].map((index) => wish({}, { set: 'a', own: `${index}` }));
    const [first, ...others] = wishes;
    const made = [driver.create(first!, options)];
    await expect.poll(() => runs().length).toBe(1);
    made.push(...others.map((order) => driver.create(order, options)));
    release();
    const instances = await Promise.all(made);
    expect(runs().map(({ parameters }) => parameters.get('MaxCount'))).toEqual(['1', '5', '2']);
    expect(instances.map(({ tags }) => tags['own'])).toEqual(wishes.map(({ tags }) => tags['own']));
    const restarted = await open();
    const listed = await restarted.list({ set: 'a' }, options);
    const tags = (all: typeof listed) => Object.fromEntries(all.map((each) => [each.id, each.tags]));
    expect(tags(listed)).toEqual(tags(instances));
    const [, { id }] = instances as [unknown, (typeof instances)[0]];
    await restarted.setTags(id, { set: 'a', own: 'new' }, options);
    const found = await (await open({ instancesPerRequest: 5 })).list({ own: 'new' }, options);
    expect(found.map((each) => [each.id, each.tags])).toEqual([[id, { set: 'a', own: 'new' }]]);
  });

  it('imports the key pair once, also for the driver after the next restart (EC-30, DW-9)', async () => {
    await (await open()).create(wish(), options);
    await (await open()).create(wish(), options);
    const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand());
    expect(KeyPairs).toHaveLength(1);
    expect(KeyPairs[0]).toMatchObject({ Tags: [{ Key: 'Owner', Value: 'tests' }] });
  });

  it.each([
    [{ imageId: 'ami-nonsense' }, {}, 'imageId'],
    [{}, { subnetId: 'subnet-00000000' }, 'subnetId'],
    [{}, { iamInstanceProfile: 'nobody' }, 'iamInstanceProfile'],
  ])('refuses %o with %o for good, and names %s', async (change, parameters, field) => {
    const driver = await open(parameters);
    const error = await errorOf(driver.create({ ...wish(), ...change }, options));
    expect(error.code).toBe('invalid');
    expect(`${error.message} ${error.remedy}`).toContain(field);
    expect(await driver.list({}, options)).toEqual([]);
  });

  it('gets everything done while a third of all requests is throttled (EC-70, DW-3)', async () => {
    let count = 0;
    proxy.intercept = () =>
      count++ % 3 === 0 ? ec2Error(503, 'RequestLimitExceeded', 'Request limit exceeded.') : undefined;
    const driver = await open();
    let refused = 0;
    const insist = async <T>(call: () => Promise<T>): Promise<T> => {
      for (;;) {
        try {
          return await call();
        } catch (error) {
          expect((error as DriverError).code).toBe('rate-limited');
          refused++;
        }
      }
    };
    const orders = Array.from({ length: 4 }, () => wish());
    const made = await Promise.all(orders.map((order) => insist(() => driver.create(order, options))));
    const ids = made.map(({ id }) => id);
    await insist(() => driver.setTags(ids[0]!, { set: 'b' }, options));
    expect(await insist(() => driver.list({ set: 'a' }, options))).toHaveLength(3);
    await Promise.all(ids.map((id) => insist(() => driver.destroy(id, options))));
    expect(await insist(() => driver.list({}, options))).toEqual([]);
    expect(refused).toBeGreaterThan(3);
  });

  it('describes the types there are, and their prices', async () => {
    const list = await startPriceList({ 't3.micro': 0.0104, 't3.small': 0.0208 });
    const parameters = parseEc2Parameters({ region, ...credentials, endpoint: proxy.url });
    process.env['AWS_ENDPOINT_URL_PRICING'] = list.url;
    try {
      const query = { names: ['t3.micro', 't3.small'], architecture: 'x86_64' };
      const offered = await ec2OfferedTypes(parameters, query, systemClock, never);
      expect(offered).toMatchObject([
        { providerType: 't3.micro', vcpus: 2, ramBytes: 2 ** 30, price: 0.0104, canBePreemptible: true },
        { providerType: 't3.small', vcpus: 2, ramBytes: 2 ** 31, price: 0.0208 },
      ]);
    } finally {
      delete process.env['AWS_ENDPOINT_URL_PRICING'];
      await list.close();
    }
  });
});
