import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { keyFingerprints } from '../../../src/drivers/ec2/key-fingerprints.js';
import { generateKeyPair } from '../../../src/ssh/keys.js';
import { ec2Error, type Ec2Answer, type Ec2Request } from '../../support/ec2-proxy.js';
import { requireTool } from '../../support/tools.js';
import { errorOf, never, secret, spec, type } from '../contract.js';
import { ec2World, instanceXml, reply, type Ec2World } from './world.js';

const options = { signal: never };
let world: Ec2World;
afterEach(async () => world?.close());

const wish = (change: Parameters<typeof type>[1] = {}) =>
  spec({ instanceType: type('small', { providerType: 't3.micro', ...change }), imageId: 'ami-1' });
const runs = (): URLSearchParams[] =>
  world.proxy.requests.filter(({ action }) => action === 'RunInstances').map(({ parameters }) => parameters);
const subnets = (): (string | null)[] => runs().map((each) => each.get('NetworkInterface.1.SubnetId'));

/** Each subnet answers RunInstances so; without an entry it makes an instance. */
const bySubnet =
  (answers: Record<string, Ec2Answer>) =>
  ({ action, parameters }: Ec2Request): Ec2Answer | undefined =>
    action === 'RunInstances' ? answers[parameters.get('NetworkInterface.1.SubnetId') ?? ''] : undefined;

const full = ec2Error(400, 'InsufficientFreeAddressesInSubnet', 'There are not enough free addresses.');
const broken = ec2Error(400, 'InvalidSubnetId.NotFound', "The subnet ID 'broken' does not exist");
const lacking = ec2Error(500, 'InsufficientInstanceCapacity', 'There is not enough capacity.');

async function starts(): Promise<Record<string, number>> {
  const metric = await world.registry
    .getSingleMetric('arvados_dispatchcloud_ec2_instance_starts_total')!
    .get();
  return Object.fromEntries(
    metric.values.map(({ labels, value }) => [`${labels['subnet_id']}/${labels['success']}`, value]),
  );
}

describe('an instance that is asked for', () => {
  it('is one, ends for good when it halts, and gives its metadata by session only (EC-10..EC-14)', async () => {
    world = await ec2World({ securityGroupIds: { 'sg-1': {}, 'sg-2': {} }, iamInstanceProfile: 'runner' });
    const made = await world.driver.create(wish(), options);
    expect(made).toMatchObject({
      id: 'i-0a',
      address: '10.0.0.7',
      remoteUser: 'crunch',
      providerType: 't3.micro',
    });
    expect(Object.fromEntries(runs()[0]!)).toMatchObject({
      MinCount: '1',
      MaxCount: '1',
      ImageId: 'ami-1',
      InstanceType: 't3.micro',
      DisableApiTermination: 'false',
      InstanceInitiatedShutdownBehavior: 'terminate',
      'MetadataOptions.HttpEndpoint': 'enabled',
      'MetadataOptions.HttpTokens': 'required',
      'MetadataOptions.HttpPutResponseHopLimit': '2',
      'NetworkInterface.1.DeviceIndex': '0',
      'NetworkInterface.1.AssociatePublicIpAddress': 'false',
      'NetworkInterface.1.DeleteOnTermination': 'true',
      'NetworkInterface.1.SecurityGroupId.1': 'sg-1',
      'NetworkInterface.1.SecurityGroupId.2': 'sg-2',
      'IamInstanceProfile.Name': 'runner',
    });
    expect(runs()[0]!.has('NetworkInterface.1.SubnetId')).toBe(false);
    expect(runs()[0]!.has('InstanceMarketOptions.MarketType')).toBe(false);
  });

  it('lets its metadata be read from as far away as is configured (DW-19)', async () => {
    world = await ec2World({ metadataHopLimit: 1 });
    await world.driver.create(wish(), options);
    expect(runs()[0]!.get('MetadataOptions.HttpPutResponseHopLimit')).toBe('1');
  });

  it('runs the init command as a shell script (EC-13, DT-7)', async () => {
    world = await ec2World();
    await world.driver.create({ ...wish(), initCommand: 'true' }, options);
    const data = Buffer.from(runs()[0]!.get('UserData')!, 'base64').toString();
    expect(data).toBe('#!/bin/sh\ntrue\n');
  });

  it('gets a volume for added scratch, in whole GiB (EC-15, DT-5)', async () => {
    world = await ec2World();
    await world.driver.create(wish({ addedScratchBytes: 20_000_000_000 }), options);
    expect(Object.fromEntries(runs()[0]!)).toMatchObject({
      'BlockDeviceMapping.1.DeviceName': '/dev/xvdt',
      'BlockDeviceMapping.1.Ebs.VolumeSize': '19',
      'BlockDeviceMapping.1.Ebs.VolumeType': 'gp2',
      'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'true',
    });
  });

  it.each([
    [0.02, '0.02'],
    [1e-7, '0.0000001'],
    [12, '12'],
  ])('bids its price for spot, %d as %s (EC-16, DT-6)', async (price, bid) => {
    world = await ec2World();
    await world.driver.create(wish({ preemptible: true, price }), options);
    expect(Object.fromEntries(runs()[0]!)).toMatchObject({
      'InstanceMarketOptions.MarketType': 'spot',
      'InstanceMarketOptions.SpotOptions.MaxPrice': bid,
      'InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior': 'terminate',
    });
  });

  it('has its tags on everything that comes with it (EC-12, DW-1)', async () => {
    world = await ec2World();
    await world.driver.create(wish({ preemptible: true, addedScratchBytes: 1 }), options);
    const [request] = runs();
    const kinds = [1, 2, 3, 4].map((index) => request!.get(`TagSpecification.${index}.ResourceType`));
    expect(kinds).toEqual(['instance', 'network-interface', 'volume', 'spot-instances-request']);
    expect(request!.get('TagSpecification.4.Tag.1.Key')).toBe('InstanceSetID');
  });

  it('is an error when EC2 accepts and tells of none, or of one that has ended (EC-19, DW-4)', async () => {
    let instances = '';
    world = await ec2World({}, ({ action }) =>
      action === 'RunInstances' ? reply(action, `<instancesSet>${instances}</instancesSet>`) : undefined,
    );
    expect((await errorOf(world.driver.create(wish(), options))).code).toBe('unavailable');
    instances = instanceXml({ id: 'i-0b', state: 'terminated' });
    const error = await errorOf(world.driver.create(wish(), options));
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain('i-0b');
  });

  it('tells nothing of its init command in an error (DI-12)', async () => {
    let sent = '';
    world = await ec2World({}, ({ action, parameters }) => {
      if (action !== 'RunInstances') return undefined;
      sent = parameters.get('UserData')!;
      return ec2Error(
        400,
        'InvalidParameterValue',
        `UserData ${sent} (${Buffer.from(sent, 'base64').toString()})`,
      );
    });
    const error = await errorOf(world.driver.create(wish(), options), [secret]);
    expect(error.message).toContain('[redacted]');
    expect(error.message).not.toContain(sent);
  });
});

describe('the key pair', () => {
  const described = (name: string) =>
    reply('DescribeKeyPairs', `<keySet><item><keyName>${name}</keyName></item></keySet>`);

  it('is imported once, tagged, and used from then on (EC-30..EC-33, DT-2, DT-4, DW-1)', async () => {
    world = await ec2World();
    await Promise.all([world.driver.create(wish(), options), world.driver.create(wish(), options)]);
    await world.driver.create(wish(), options);
    expect(world.actions().sort()).toEqual([
      'DescribeKeyPairs',
      'ImportKeyPair',
      ...Array<string>(3).fill('RunInstances'),
    ]);
    const imported = world.proxy.requests.find(({ action }) => action === 'ImportKeyPair')!.parameters;
    expect(imported.get('KeyName')).toMatch(/^arvados-dispatch-keypair-SHA256:.+=$/);
    expect(imported.get('TagSpecification.1.Tag.1.Key')).toBe('Owner');
    expect(runs().map((each) => each.get('KeyName'))).toEqual(Array(3).fill(imported.get('KeyName')));
  });

  it('is not asked for when none is to be installed (EC-14, DT-3)', async () => {
    world = await ec2World();
    await world.driver.create({ ...wish(), publicKey: undefined }, options);
    expect(world.actions()).toEqual(['RunInstances']);
    expect(runs()[0]!.has('KeyName')).toBe(false);
  });

  it('is asked for once when EC2 has it already (EC-32, DW-9)', async () => {
    world = await ec2World({}, ({ action }) =>
      action === 'DescribeKeyPairs' ? described('mine') : undefined,
    );
    await world.driver.create(wish(), options);
    await world.driver.create(wish(), options);
    expect(world.actions()).toEqual(['DescribeKeyPairs', 'RunInstances', 'RunInstances']);
    expect(runs()[1]!.get('KeyName')).toBe('mine');
  });

  it('may have been imported by another dispatcher at the same time (DW-9)', async () => {
    world = await ec2World({}, ({ action }) =>
      action === 'ImportKeyPair'
        ? ec2Error(400, 'InvalidKeyPair.Duplicate', 'The keypair already exists')
        : undefined,
    );
    await world.driver.create(wish(), options);
    expect(runs()[0]!.get('KeyName')).toMatch(/^arvados-dispatch-keypair-/);
  });

  it('fails the create with the step that failed, and is tried again by the next one (EC-34)', async () => {
    let refuses = true;
    world = await ec2World({}, ({ action }) =>
      refuses && action === 'ImportKeyPair'
        ? ec2Error(403, 'UnauthorizedOperation', 'You are not.')
        : undefined,
    );
    const error = await errorOf(world.driver.create(wish(), options));
    expect(error.code).toBe('auth');
    expect(error.message).toContain('import the dispatch key');
    expect(runs()).toEqual([]);
    refuses = false;
    await world.driver.create(wish(), options);
  });

  it('is imported again when somebody deleted it', async () => {
    let isDeleted = true;
    world = await ec2World({}, ({ action }) => {
      if (action !== 'RunInstances' || !isDeleted) return undefined;
      isDeleted = false;
      return ec2Error(400, 'InvalidKeyPair.NotFound', 'The key pair does not exist');
    });
    expect((await errorOf(world.driver.create(wish(), options))).code).toBe('invalid');
    await world.driver.create(wish(), options);
    expect(world.actions().filter((action) => action === 'ImportKeyPair')).toHaveLength(2);
  });

  it('is named by MD5 and SHA-1 of an RSA key, and by SHA-256 of others (EC-31, DT-17)', (context) => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'der' });
    const pem = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    const parsed = ssh2.utils.parseKey(pem) as ssh2.ParsedKey;
    const [md5, sha1] = keyFingerprints(`ssh-rsa ${parsed.getPublicSSH().toString('base64')} me`);
    const openssl = requireTool(context, 'openssl');
    const digest = (name: string) =>
      execFileSync(openssl, ['dgst', `-${name}`, '-c'], { input: der })
        .toString()
        .trim()
        .split('= ')[1];
    expect([md5, sha1]).toEqual([digest('md5'), digest('sha1')]);

    const folder = mkdtempSync(join(tmpdir(), 'longshore-key-'));
    const { publicKey } = generateKeyPair();
    writeFileSync(join(folder, 'key.pub'), publicKey);
    const said = execFileSync(requireTool(context, 'ssh-keygen'), [
      '-lf',
      join(folder, 'key.pub'),
    ]).toString();
    rmSync(folder, { recursive: true });
    expect(keyFingerprints(publicKey)).toEqual([`${said.split(' ')[1]}=`, said.split(' ')[1]]);
  });
});

describe('subnets', () => {
  it('are tried in turn, and the one that worked goes first (EC-20..EC-23, DT-8)', async () => {
    world = await ec2World({ subnetId: ['full', 'good'] }, bySubnet({ full }));
    await world.driver.create(wish(), options);
    expect(subnets()).toEqual(['full', 'good']);
    await world.driver.create(wish(), options);
    expect(subnets()).toEqual(['full', 'good', 'good']);
    expect(await starts()).toEqual({ 'full/0': 1, 'full/1': 0, 'good/0': 0, 'good/1': 2 });
    expect(world.warnings[0]).toMatchObject({ fields: { subnetId: 'full' } });
  });

  it('each show their error in turn when none works (EC-23, EC-24, DT-9)', async () => {
    world = await ec2World({ subnetId: ['full', 'broken'] }, bySubnet({ full, broken }));
    expect((await errorOf(world.driver.create(wish(), options))).message).toContain(
      'InvalidSubnetId.NotFound',
    );
    expect((await errorOf(world.driver.create(wish(), options))).message).toContain(
      'InsufficientFreeAddresses',
    );
    expect(await starts()).toEqual({ 'full/0': 2, 'full/1': 0, 'broken/0': 2, 'broken/1': 0 });
  });

  it('hand on a lack of capacity before any other error (EC-24, DT-10)', async () => {
    world = await ec2World({ subnetId: ['full', 'x'] }, bySubnet({ full, x: lacking }));
    for (let round = 0; round < 3; round++) {
      expect((await errorOf(world.driver.create(wish(), options))).code).toBe('capacity');
    }
    expect(runs()).toHaveLength(6);
  });

  it('are not tried in turn for an error that is not theirs (EC-22)', async () => {
    const denied = ec2Error(
      403,
      'UnauthorizedOperation',
      'You are not authorized to perform this operation.',
    );
    world = await ec2World({ subnetId: ['a', 'b'] }, bySubnet({ a: denied }));
    expect((await errorOf(world.driver.create(wish(), options))).code).toBe('auth');
    expect(subnets()).toEqual(['a']);
  });

  it('with one subnet are asked once (EC-22, DT-11)', async () => {
    world = await ec2World({ subnetId: 'x' }, bySubnet({ x: lacking }));
    const error = await errorOf(world.driver.create(wish(), options));
    expect(error).toMatchObject({ code: 'capacity', scope: 'type' });
    expect(runs()).toHaveLength(1);
  });

  it('have a favourite of each type, for half an hour (DW-12)', async () => {
    world = await ec2World({ subnetId: ['a', 'b'] }, bySubnet({ a: lacking }));
    await world.driver.create(wish(), options);
    await world.driver.create(wish({ providerType: 'm5.large' }), options);
    expect(subnets()).toEqual(['a', 'b', 'a', 'b']);
    await world.clock.advance(30 * 60_000);
    await world.driver.create(wish(), options);
    expect(subnets().slice(4)).toEqual(['a', 'b']);
  });

  it('keep the place of a wish, so that telling it again cannot make a second instance', async () => {
    world = await ec2World({ subnetId: ['a', 'b'] }, bySubnet({ a: lacking }));
    const first = wish();
    await world.driver.create(first, options);
    await world.clock.advance(30 * 60_000);
    await world.driver.create(first, options);
    expect(subnets()).toEqual(['a', 'b', 'b']);
    const tokens = runs().map((each) => each.get('ClientToken')!);
    expect(tokens[2]).toBe(tokens[1]);
    expect(tokens[0]).not.toBe(tokens[1]);
    expect(tokens.every((token) => token.length <= 64)).toBe(true);
  });

  it('are named as zones, and an order for one of them stays there (DW-13)', async () => {
    world = await ec2World({ subnetId: ['full', 'broken', 'good'] }, bySubnet({ full, broken }));
    const small = wish().instanceType;
    expect(world.driver.zones(small)).toEqual(['full', 'broken', 'good']);
    for (const zone of ['full', 'broken']) {
      const error = await errorOf(world.driver.create({ ...wish(), zone }, options));
      expect(error).toMatchObject({ code: 'capacity', scope: 'zone' });
    }
    await world.driver.create({ ...wish(), zone: 'good' }, options);
    expect(subnets()).toEqual(['full', 'broken', 'good']);
    expect(world.driver.zones(small)).toEqual(['good', 'full', 'broken']);
  });

  it('are no choice when there is one of them', async () => {
    world = await ec2World({ subnetId: 'only' });
    expect(world.driver.zones(wish().instanceType)).toEqual([]);
  });
});
