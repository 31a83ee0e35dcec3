import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseEc2Parameters } from '../../../src/drivers/ec2/parameters.js';
import { quotaGroupOf } from '../../../src/drivers/ec2/quota-group.js';
import { Ec2Fault, isSubnetSpecific, translateEc2Error } from '../../../src/drivers/ec2/translate-error.js';
import { ec2Error } from '../../support/ec2-proxy.js';
import { errorOf, never, spec, type } from '../contract.js';
import { credentials, ec2World, type Ec2World } from './world.js';
import type { DriverErrorCode } from '../../../src/domain/driver-error-code.js';

const options = { signal: never };
const wish = () => spec({ instanceType: type('small', { providerType: 't3.micro' }), publicKey: undefined });
let world: Ec2World;
afterEach(async () => world?.close());

/** Code and text as EC2's list of errors has them, and what has to come of them. */
const meanings: [number, string, string, Partial<{ code: DriverErrorCode; scope: string }>][] = [
  [503, 'RequestLimitExceeded', 'Request limit exceeded.', { code: 'rate-limited' }],
  [503, 'Client.RequestLimitExceeded', 'Request limit exceeded.', { code: 'rate-limited' }],
  [400, 'InstanceLimitExceeded', 'You have requested more instances than your limit.', { code: 'quota' }],
  [500, 'InsufficientAddressCapacity', 'Not enough available addresses.', { code: 'quota' }],
  [400, 'VcpuLimitExceeded', 'You have requested more vCPU capacity.', { code: 'capacity', scope: 'group' }],
  [
    400,
    'MaxSpotInstanceCountExceeded',
    'Max spot instance count exceeded',
    { code: 'capacity', scope: 'group' },
  ],
  [400, 'MaxSpotFleetRequestCountExceeded', 'Too many.', { code: 'capacity', scope: 'group' }],
  [500, 'InsufficientInstanceCapacity', 'Not enough capacity.', { code: 'capacity', scope: 'type' }],
  [500, 'InsufficientHostCapacity', 'Not enough dedicated hosts.', { code: 'capacity', scope: 'type' }],
  [500, 'ReservationCapacityExceeded', 'The reservation is used up.', { code: 'capacity', scope: 'type' }],
  [
    400,
    'SpotMaxPriceTooLow',
    'Your Spot request price of 0.01 is lower.',
    { code: 'capacity', scope: 'type' },
  ],
  [500, 'InsufficientVolumeCapacity', 'Not enough capacity for EBS.', { code: 'capacity', scope: 'type' }],
  [
    400,
    'Unsupported',
    'Your requested instance type (t3.micro) is not supported in your requested Availability Zone.',
    { code: 'capacity', scope: 'type' },
  ],
  [400, 'Unsupported', 'The requested configuration is currently not supported.', { code: 'invalid' }],
  [400, 'VolumeLimitExceeded', 'You have reached your limit.', { code: 'quota' }],
  [400, 'InvalidAMIID.NotFound', "The image id '[ami-1]' does not exist", { code: 'invalid' }],
  [400, 'InvalidSubnetID.NotFound', "The subnet ID 'subnet-9' does not exist", { code: 'invalid' }],
  [403, 'UnauthorizedOperation', 'You are not authorized to perform this operation.', { code: 'auth' }],
  [401, 'AuthFailure', 'AWS was not able to validate the provided access credentials', { code: 'auth' }],
  [400, 'RequestExpired', 'Request has expired.', { code: 'auth' }],
  [403, 'ExpiredToken', 'The provided token has expired.', { code: 'auth' }],
  [400, 'RequestTimeTooSkewed', 'The difference between the times is too large.', { code: 'auth' }],
  [401, 'OptInRequired', 'You are not subscribed to this service in this region.', { code: 'auth' }],
  [400, 'InvalidGroup.NotFound', "The security group 'sg-9' does not exist", { code: 'invalid' }],
  [403, 'AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'The role is missing.', { code: 'auth' }],
  [500, 'InternalError', 'An internal error has occurred', { code: 'unavailable' }],
  [503, 'ServiceUnavailable', 'Try again.', { code: 'unavailable' }],
  [502, 'SomethingNew', 'Nobody has seen this one.', { code: 'unavailable' }],
  [400, 'SomethingNew', 'Nobody has seen this one.', { code: 'invalid' }],
];

describe('errors of EC2', () => {
  it.each(meanings)(
    '%d %s (%s) mean %o (EC-70..EC-75, DT-14, DW-5)',
    async (status, code, text, expected) => {
      world = await ec2World({}, () => ec2Error(status, code, text));
      const error = await errorOf(world.driver.create(wish(), options), [credentials.secretAccessKey]);
      expect(error).toMatchObject(expected);
      expect(error.message).toContain(code);
      expect(error.message).toContain(text);
      expect(error.message).toContain('ea966190');
      expect(error.remedy).not.toBe('');
      expect(error.remedy).toBeDefined();
      expect(world.proxy.requests).toHaveLength(1);
    },
  );

  it('grow the wait with each throttle, by kind of call, until one succeeds (EC-70, DT-13)', async () => {
    let code: string | undefined = 'RequestLimitExceeded';
    world = await ec2World({}, () => (code === undefined ? undefined : ec2Error(503, code, 'text')));
    const { driver, clock } = world;
    const wait = async (
      call: () => Promise<unknown> = () => driver.create(wish(), options),
    ): Promise<number> => (await errorOf(call())).retryAt! - clock.now();
    const waits: number[] = [];
    for (let round = 0; round < 11; round++) waits.push(await wait());
    expect(waits.slice(0, 5)).toEqual([1_000, 2_500, 4_750, 8_125, 13_187.5]);
    expect(waits.slice(8)).toEqual([60_000, 60_000, 60_000]);
    expect(await wait(() => driver.list({}, options))).toBe(1_000);
    expect(await wait(() => driver.destroy('i-0a', options))).toBe(1_000);
    code = undefined;
    await driver.create(wish(), options);
    code = 'RequestLimitExceeded';
    expect(await wait()).toBe(1_000);
    expect(await wait(() => driver.list({}, options))).toBe(2_500);
  });

  it('of room leave the wait as it is, others end it (EC-70, DT-15)', async () => {
    let code = 'RequestLimitExceeded';
    world = await ec2World({}, () => ec2Error(400, code, 'text'));
    const fail = async (next: string) => {
      code = next;
      return errorOf(world.driver.create(wish(), options));
    };
    const waited = async () => (await fail('RequestLimitExceeded')).retryAt! - world.clock.now();
    expect(await waited()).toBe(1_000);
    await fail('InstanceLimitExceeded');
    expect(await waited()).toBe(2_500);
    await fail('InvalidAMIID.NotFound');
    expect(await waited()).toBe(1_000);
  });

  it('wait as long as EC2 asks to, when that is longer', async () => {
    let after = '30';
    world = await ec2World({}, () => ec2Error(503, 'RequestLimitExceeded', 'text', { 'retry-after': after }));
    const retryAt = async () => (await errorOf(world.driver.list({}, options))).retryAt!;
    expect((await retryAt()) - world.clock.now()).toBe(30_000);
    after = new Date(world.clock.now() + 90_000).toUTCString();
    expect((await retryAt()) - world.clock.now()).toBe(90_000);
    after = 'soon';
    expect((await retryAt()) - world.clock.now()).toBe(4_750);
  });

  it.each([
    ['a document that is cut off', { status: 200, body: '<DescribeInstancesResponse><reservationSet>' }],
    ['a page of another program', { status: 200, body: '<html><body>Welcome<br></body></html>' }],
    ['nothing at all', { status: 200, body: '' }],
    ['an error without a document', { status: 502, body: 'Bad gateway' }],
  ])('%s is EC2 being unavailable', async (_name, answer) => {
    world = await ec2World({}, () => answer);
    expect((await errorOf(world.driver.list({}, options))).code).toBe('unavailable');
  });

  it('name the root cause when nobody answers, and what to look at', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    world = await ec2World({ endpoint: `http://127.0.0.1:${port}` });
    const error = await errorOf(world.driver.list({}, options));
    expect(error).toMatchObject({
      code: 'unavailable',
      remedy: expect.stringContaining('endpoint') as string,
    });
    expect(error.message).toContain('ECONNREFUSED');
  });

  it.each(['ENOTFOUND', 'EAI_AGAIN'])(
    'name the region and the endpoint when there is no such host (%s), as in a region there is not',
    (code) => {
      const text = `getaddrinfo ${code} ec2.xx-nowhere-1.amazonaws.com`;
      const error = translateEc2Error(
        Object.assign(new Error(text), { code }),
        'list instances',
        (told) => told,
      );
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining(text) as string });
      expect(error.remedy).toContain('driverParameters.region');
    },
  );

  it('of a clock that goes wrong say so once, and then the time that AWS told is gone by', async () => {
    const hour = 3_600_000;
    const noInstances = '<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>';
    const signedAt: number[] = [];
    world = await ec2World({}, (request) => {
      signedAt.push(request.signedAt);
      const awsNow = Date.now() + 2 * hour;
      const date = { date: new Date(awsNow).toUTCString() };
      if (Math.abs(awsNow - request.signedAt) < hour / 4)
        return { status: 200, headers: date, body: noInstances };
      return ec2Error(400, 'RequestExpired', 'Request has expired.', date);
    });
    const error = await errorOf(world.driver.list({}, options));
    expect(error).toMatchObject({ code: 'auth', remedy: expect.stringContaining('clock') as string });
    expect(await world.driver.list({}, options)).toEqual([]);
    expect(await world.driver.list({}, options)).toEqual([]);
    expect(signedAt).toHaveLength(3);
  });

  it('end a request that is not answered in time', async () => {
    world = await ec2World({ requestTimeout: '200ms' }, () => 'silent');
    expect((await errorOf(world.driver.list({}, options))).code).toBe('unavailable');
  });

  it('make another subnet worth a try when they are of this one (EC-72, DT-12)', () => {
    const of = (code: string, text = '') => isSubnetSpecific(new Ec2Fault(code, text, 400, undefined));
    expect(isSubnetSpecific(undefined)).toBe(false);
    expect(isSubnetSpecific(new Error('InsufficientInstanceCapacity'))).toBe(false);
    expect(of('InsufficientInstanceCapacity')).toBe(true);
    expect(of('InsufficientVolumeCapacity')).toBe(true);
    expect(of('InvalidParameterValue', 'Not enough free addresses in subnet subnet-abc')).toBe(true);
    const addresses = "There aren't sufficient free Ipv4 addresses or prefixes";
    for (const code of [
      'Client.InvalidParameterValue',
      'InvalidParameterValue',
      'ClientInvalidParameterValue',
    ]) {
      expect(of(code, addresses)).toBe(true);
    }
    expect(of('InvalidParameterValue', 'Some other text')).toBe(false);
  });
});

describe('quota groups of EC2', () => {
  it.each([
    ['g1.large', false, 'g'],
    ['x1.large', false, 'x'],
    ['inf1.2xlarge', false, 'inf'],
    ['a1.small', false, 'standard'],
    ['m1.xlarge', true, 'standard-spot'],
    ['p4.xlarge', true, 'p-spot'],
    ['p5.xlarge', true, 'p5-spot'],
    ['t3.2xlarge', false, 'standard'],
    ['trn1.2xlarge', true, 'trn-spot'],
    ['T3.2XLARGE', false, 'standard'],
    ['imaginary9.5xlarge', false, 'imaginary'],
    ['', false, ''],
  ])('put %s (spot: %s) into "%s" (EC-64, DT-16)', (providerType, preemptible, group) => {
    const groups = { a: 'standard', m: 'standard', t: 'standard', p5: 'p5' };
    expect(quotaGroupOf({ providerType, preemptible }, groups)).toBe(group);
  });
});

describe('settings of the ec2 driver', () => {
  const region = 'eu-west-1';

  it.each([
    ['', []],
    [[], []],
    ['foo', ['foo']],
    [
      ['foo', 'bar'],
      ['foo', 'bar'],
    ],
  ])('take %o as subnets (EC-2, DT-1)', (subnetId, expected) => {
    expect(parseEc2Parameters({ region, subnetId }).subnetId).toEqual(expected);
  });

  it('take security groups as a list or as the keys of a map (EC-3)', () => {
    expect(parseEc2Parameters({ region, securityGroupIds: ['a', 'b'] }).securityGroupIds).toEqual(['a', 'b']);
    expect(parseEc2Parameters({ region, securityGroupIds: { a: {}, b: {} } }).securityGroupIds).toEqual([
      'a',
      'b',
    ]);
  });

  it('have the defaults people know (DC-20..DC-29, EC-6)', () => {
    expect(parseEc2Parameters({ region, ebsVolumeType: '' })).toMatchObject({
      ebsVolumeType: 'gp2',
      ebsPrice: 0.1,
      spotPriceUpdateInterval: 86_400_000,
      adminUsername: 'crunch',
      instanceTypeQuotaGroups: { a: 'standard', vt: 'g', p5: 'p5' },
    });
  });

  it.each([
    [{}, 'region'],
    [{ region: 'Frankfurt' }, 'region'],
    [{ region, accessKeyId: 'AKIA' }, 'secretAccessKey'],
    [{ region, sessionToken: 'x' }, 'sessionToken'],
    [{ region, subnetID: 'x' }, 'subnetID'],
    [{ region, subnetId: 7 }, 'subnetId'],
    [{ region, spotPriceUpdateInterval: 'often' }, 'spotPriceUpdateInterval'],
    [{ region, iamInstanceProfile: 'arn:aws:iam::1:instance-profile/x' }, 'iamInstanceProfile'],
    [{ region, endpoint: 'localhost' }, 'endpoint'],
    [{ region, instanceTypeQuotaGroups: { A: 'standard' } }, 'instanceTypeQuotaGroups'],
    [{ region, requestTimeout: 0 }, 'requestTimeout'],
    [{ region, instancesPerRequest: 0 }, 'instancesPerRequest'],
    [{ region, instancesPerRequest: 21 }, 'instancesPerRequest'],
  ])('refuse %o and name %s', (parameters, field) => {
    expect(() => parseEc2Parameters(parameters)).toThrow(new RegExp(`driverParameters\\b.*${field}`));
  });

  it('never show a secret that is wrong', () => {
    const secretAccessKey = ['wJalrXUtnFEMI'];
    expect(() => parseEc2Parameters({ region, accessKeyId: 'AKIA', secretAccessKey })).toThrow(
      /^(?!.*wJalr)/,
    );
  });
});
