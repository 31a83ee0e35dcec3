import { afterEach, describe, expect, it } from 'vitest';
import { normalizePriceHistory } from '../../../src/drivers/ec2/price-history.js';
import { ec2Error, type Ec2Answer, type Ec2Request } from '../../support/ec2-proxy.js';
import { errorOf, never, type } from '../contract.js';
import { ec2World, page, reply, type Described, type Ec2World } from './world.js';

const options = { signal: never };
const minute = 60_000;
let world: Ec2World;
afterEach(async () => world?.close());

const ids = async (): Promise<string[]> => (await world.driver.list({}, options)).map(({ id }) => id);
const described =
  (...instances: Described[]) =>
  ({ action }: Ec2Request): Ec2Answer | undefined =>
    action === 'DescribeInstances' ? page(instances) : undefined;

describe('a list', () => {
  it('follows the pages to the end, which may be an empty token (EC-40, DT-19)', async () => {
    const pages = [
      page([{ id: 'i-01' }], 'two'),
      page([{ id: 'i-02' }], 'three'),
      page([{ id: 'i-03' }], ''),
    ];
    world = await ec2World({}, ({ action }) => (action === 'DescribeInstances' ? pages.shift() : undefined));
    expect(await ids()).toEqual(['i-01', 'i-02', 'i-03']);
    const tokens = world.proxy.requests.map(({ parameters }) => parameters.get('NextToken'));
    expect(tokens).toEqual([null, 'two', 'three']);
  });

  it('asks for the tags, letter for letter, and for what is not on its way out (EC-40, EC-41)', async () => {
    world = await ec2World();
    await world.driver.list({ set: 'a*b?', other: '1' }, options);
    expect(Object.fromEntries(world.proxy.requests[0]!.parameters)).toMatchObject({
      'Filter.1.Name': 'instance-state-name',
      'Filter.2.Name': 'tag:set',
      'Filter.2.Value.1': String.raw`a\*b\?`,
      'Filter.3.Name': 'tag:other',
      'Filter.3.Value.1': '1',
      MaxResults: '1000',
    });
  });

  it('has all but those on their way out (EC-41, DT-18)', async () => {
    const states = ['pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated'];
    world = await ec2World({}, described(...states.map((state, index) => ({ id: `i-0${index}`, state }))));
    expect(await ids()).toEqual(['i-00', 'i-01', 'i-02', 'i-03']);
  });

  it('reads tags as they are, of the instance alone', async () => {
    const tags = { 'a&amp;b': ' x ', '&lt;k&gt;': 'é&#x20AC;', empty: '' };
    world = await ec2World({}, described({ id: 'i-01', tags }));
    const [instance] = await world.driver.list({}, options);
    expect(instance).toMatchObject({ tags: { 'a&b': ' x ', '<k>': 'é€', empty: '' }, address: '10.0.0.7' });
    expect(Object.keys(instance!.tags)).toHaveLength(3);
  });

  it('is whole or not at all (EC-42)', async () => {
    const pages = [page([{ id: 'i-01' }], 'two'), ec2Error(500, 'InternalError', 'An internal error')];
    world = await ec2World({}, ({ action }) => (action === 'DescribeInstances' ? pages.shift() : undefined));
    expect((await errorOf(world.driver.list({}, options))).code).toBe('unavailable');
  });

  it('ends when EC2 gives the same page again and again', async () => {
    world = await ec2World({}, ({ action }) =>
      action === 'DescribeInstances' ? page([], 'same') : undefined,
    );
    expect((await errorOf(world.driver.list({}, options))).message).toContain('same page');
  });

  it('is counted by subnet (EC-43)', async () => {
    world = await ec2World(
      { subnetId: ['subnet-1', 'subnet-2'] },
      described({ id: 'i-01' }, { id: 'i-02', subnet: 'subnet-9' }, { id: 'i-03', subnet: '' }),
    );
    await ids();
    const metric = await world.registry.getSingleMetric('arvados_dispatchcloud_ec2_instances')!.get();
    const counts = metric.values.map(({ labels, value }) => [labels['subnet_id'], value]);
    expect(Object.fromEntries(counts)).toEqual({ '': 1, 'subnet-1': 1, 'subnet-2': 0, 'subnet-9': 1 });
  });

  it('holds nothing up for long, however many instances are on a page', async () => {
    const instances = Array.from({ length: 3_000 }, (_, index) => ({
      id: `i-${index.toString(16).padStart(17, '0')}`,
      tags: Object.fromEntries(Array.from({ length: 10 }, (_each, tag) => [`key-${tag}`, `value ${index}`])),
    }));
    const answer = page(instances);
    world = await ec2World({}, ({ action }) => (action === 'DescribeInstances' ? answer : undefined));
    let turns = 0;
    const turn = setInterval(() => turns++, 1);
    expect(await ids()).toHaveLength(3_000);
    clearInterval(turn);
    // Read in one go, there would be no turn between the arrival of the page and its end.
    expect(turns).toBeGreaterThan(5);
  });
});

describe('an instance that went away by itself', () => {
  const reason = {
    code: 'Client.InternalError',
    message: 'Client.InternalError: Client error on launch',
  };
  const dead: Described = { id: 'i-01', state: 'terminated', reason };
  const askedWhy = () =>
    world.proxy.requests.filter(({ parameters }) => parameters.get('Filter.1.Name') === 'instance-id');
  let there: Described[];
  /** What lists show, and what is told of the one that is asked for by its id. */
  const open = async (told: Ec2Answer): Promise<void> => {
    there = [{ id: 'i-01', state: 'pending' }, { id: 'i-02' }];
    world = await ec2World({}, ({ action, parameters }) => {
      if (action !== 'DescribeInstances') return undefined;
      return parameters.get('Filter.1.Name') === 'instance-id' ? told : page(there);
    });
    await world.driver.list({}, options);
    there = [{ id: 'i-02' }];
  };

  it('as when its image does not boot, is told of once with the reason of EC2', async () => {
    await open(page([dead]));
    expect(await world.driver.list({}, options)).toHaveLength(1);
    await expect
      .poll(() => world.warnings)
      .toEqual([
        {
          message: 'an instance went away by itself',
          fields: { instanceId: 'i-01', imageId: 'ami-1', reason: reason.message },
        },
      ]);
    await world.driver.list({}, options);
    expect(askedWhy().map(({ parameters }) => parameters.get('Filter.1.Value.1'))).toEqual(['i-01']);
  });

  it('is not looked into when it was to go, and not told of while it lives', async () => {
    await open(page([{ id: 'i-01', state: 'running' }]));
    await world.driver.list({}, options);
    await expect.poll(() => askedWhy().length).toBe(1);
    await world.driver.destroy('i-02', options);
    there = [];
    expect(await world.driver.list({}, options)).toEqual([]);
    await world.driver.list({}, options);
    expect([askedWhy().length, world.warnings]).toEqual([1, []]);
  });

  it('leaves the list whole when EC2 does not tell why', async () => {
    await open(ec2Error(503, 'Unavailable', 'The server is overloaded.'));
    expect(await world.driver.list({}, options)).toHaveLength(1);
    await expect
      .poll(() => world.warnings)
      .toMatchObject([{ fields: { instances: ['i-01'], err: { code: 'unavailable' } } }]);
  });
});

describe('spot prices', () => {
  const spot = (id: string, zone = 'us-east-1a') => ({ id, zone, isSpot: true });
  const price = (dollars: string, at: number, zone = 'us-east-1a') =>
    `<item><instanceType>t3.micro</instanceType><productDescription>Linux/UNIX</productDescription>` +
    `<spotPrice>${dollars}</spotPrice><timestamp>${new Date(at).toISOString()}</timestamp>` +
    `<availabilityZone>${zone}</availabilityZone></item>`;
  const prices = (items: string, next = '') =>
    reply(
      'DescribeSpotPriceHistory',
      `<spotPriceHistorySet>${items}</spotPriceHistorySet><nextToken>${next}</nextToken>`,
    );
  const asked = () => world.actions().filter((action) => action === 'DescribeSpotPriceHistory').length;
  const history = async (id: string) =>
    (await world.driver.list({}, options)).find((each) => each.id === id)!.priceHistory;
  const now = 1_800_000_000_000;

  it('are of the type and zone, newest first, with the volume beside the instance (EC-50..EC-55, DT-20, DW-10)', async () => {
    const pages = [
      prices(price('0.005', now - 9 * minute) + price('0.015', now - 5 * minute), 'more'),
      prices(price('0.01', now - 2 * minute) + price('9', now - minute, 'us-east-1b')),
    ];
    world = await ec2World({}, (request) =>
      request.action === 'DescribeSpotPriceHistory'
        ? pages.shift()
        : described(spot('i-01'), spot('i-02'))(request),
    );
    const expected = [
      { startAt: now - 2 * minute, price: 0.01 },
      { startAt: now - 5 * minute, price: 0.015 },
      { startAt: now - 9 * minute, price: 0.005 },
    ];
    await expect.poll(() => history('i-01')).toEqual(expected);
    expect(await history('i-02')).toEqual(expected);
    const [instance] = await world.driver.list({}, options);
    const withScratch = world.driver.priceHistory(instance!, type('s', { addedScratchBytes: 640 * 2 ** 30 }));
    expect(withScratch[0]!.price).toBeCloseTo(0.01 + (640 * 0.1) / 720);
    expect(world.driver.priceHistory(instance!, type('s'))[0]!.price).toBe(0.01);
    const request = world.proxy.requests.find(
      ({ action }) => action === 'DescribeSpotPriceHistory',
    )!.parameters;
    expect(request.get('ProductDescription.1')).toBe('Linux/UNIX');
    expect(request.get('InstanceType.1')).toBe('t3.micro');
    expect(Date.parse(request.get('StartTime')!)).toBe(now - 3 * 24 * 60 * minute);
    // Zones are told by the list itself.
    expect(new Set(world.actions())).toEqual(new Set(['DescribeInstances', 'DescribeSpotPriceHistory']));
  });

  it('are asked for once in an interval, also where there is no answer (EC-51, DW-11)', async () => {
    world = await ec2World({ spotPriceUpdateInterval: '10m' }, described(spot('i-01')));
    await ids();
    await expect.poll(asked).toBe(1);
    await ids();
    await ids();
    expect(asked()).toBe(1);
    await world.clock.advance(11 * minute);
    await ids();
    await expect.poll(asked).toBe(2);
  });

  it('that cannot be asked for leave the list whole (EC-44, DT-21)', async () => {
    world = await ec2World({}, (request) =>
      request.action === 'DescribeSpotPriceHistory'
        ? ec2Error(403, 'UnauthorizedOperation', 'You are not authorized')
        : described(spot('i-01'))(request),
    );
    expect(await ids()).toEqual(['i-01']);
    await expect
      .poll(() => world.warnings.map(({ message }) => message))
      .toContain('spot prices could not be asked for');
    expect(await history('i-01')).toEqual([]);
  });

  it('are never asked for with an interval of 0, nor without spot instances (EC-44, DT-22)', async () => {
    world = await ec2World({ spotPriceUpdateInterval: 0 }, described(spot('i-01')));
    await ids();
    await world.close();
    expect(world.actions()).toEqual(['DescribeInstances']);
    world = await ec2World({}, described({ id: 'i-01' }));
    await ids();
    expect(world.actions()).toEqual(['DescribeInstances']);
  });

  it('skip records that lack something (EC-53)', async () => {
    const broken = '<item><instanceType>t3.micro</instanceType><spotPrice>cheap</spotPrice></item><item/>';
    world = await ec2World({}, (request) =>
      request.action === 'DescribeSpotPriceHistory'
        ? prices(broken + price('0.02', now - minute))
        : described(spot('i-01'))(request),
    );
    await expect.poll(() => history('i-01')).toEqual([{ startAt: now - minute, price: 0.02 }]);
  });

  it('keep the oldest point of each run of equal prices (DI-14, DT-23)', () => {
    const points = [
      [1, 1.0],
      [4, 1.2],
      [5, 1.1],
      [3, 1.2],
      [5, 1.1],
      [2, 1.0],
    ].map(([at, dollars]) => ({ startAt: at!, price: dollars! }));
    const normal = normalizePriceHistory(points).map(({ startAt, price: dollars }) => [startAt, dollars]);
    expect(normal).toEqual([
      [5, 1.1],
      [3, 1.2],
      [1, 1.0],
    ]);
    expect(points[0]!.startAt).toBe(1);
  });
});

describe('tags', () => {
  const changes = () =>
    world.proxy.requests
      .filter(({ action }) => action.endsWith('Tags'))
      .map(({ action, parameters }) => [
        action,
        ...[1, 2].map((index) => parameters.get(`Tag.${index}.Key`)),
      ]);

  it('that are not wished for go away, those of AWS stay (DI-11, DW-2)', async () => {
    const tags = { a: '1', b: '2', 'aws:autoscaling': 'x' };
    world = await ec2World({}, described({ id: 'i-01', tags }));
    await ids();
    await world.driver.setTags('i-01', { a: '3' }, options);
    expect(changes()).toEqual([
      ['CreateTags', 'a', null],
      ['DeleteTags', 'b', null],
    ]);
  });

  it('of an instance nobody heard of are looked up first', async () => {
    world = await ec2World({}, described({ id: 'i-01', tags: { old: '1' } }));
    await world.driver.setTags('i-01', { a: '3' }, options);
    expect(world.proxy.requests[0]!.parameters.get('InstanceId.1')).toBe('i-01');
    expect(changes()[1]).toEqual(['DeleteTags', 'old', null]);
  });

  it('written a moment ago are known, whatever a late list says', async () => {
    world = await ec2World({}, described({ id: 'i-01', tags: { a: '1' } }));
    await ids();
    await world.driver.setTags('i-01', { a: '1', late: '2' }, options);
    await ids();
    await world.driver.setTags('i-01', { a: '1' }, options);
    expect(changes().at(-1)).toEqual(['DeleteTags', 'late', null]);
  });
});
