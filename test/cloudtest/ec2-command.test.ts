import { DescribeInstancesCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { parse, stringify } from 'yaml';
import type { CloudTestReport } from '../../src/cloudtest/report.js';
import { startCommand } from '../support/command-process.js';
import { Ec2Hosts } from '../support/ec2-hosts.js';
import { ec2Error, startEc2Proxy, type Ec2Proxy } from '../support/ec2-proxy.js';
import { findMoto, missingMoto, motoPatienceMs, startMoto, type Moto } from '../support/moto.js';
import { findTool } from '../support/tools.js';

const [program, sshd] = [findMoto(), findTool('sshd')];
let moto: Moto;
let ec2: EC2Client;
let hosts: Ec2Hosts;
let proxy: Ec2Proxy;
let subnets: string[];
let config: string;

/** The example, with the addresses and names of the emulator where it has those of an account. */
function exampleAtEmulator(): string {
  const path = fileURLToPath(new URL('../../examples/ec2.yaml', import.meta.url));
  const example = parse(readFileSync(path, 'utf8')) as {
    driverParameters: Record<string, unknown>;
    pool: Record<string, unknown>;
  };
  Object.assign(example.driverParameters, {
    endpoint: proxy.url,
    accessKeyId: 'test-access',
    secretAccessKey: 'test-secret',
    subnetId: subnets,
    securityGroupIds: [],
    adminUsername: userInfo().username,
    // A reply waits until the host of the instance has booted.
    requestTimeout: '10m',
  });
  const pool = {
    imageId: 'ami-12c6146b',
    sshPort: hosts.port,
    bootProbeCommand: 'true',
    probeInterval: '200ms',
  };
  Object.assign(example.pool, pool);
  return stringify(example);
}

beforeAll(async () => {
  if (program === undefined || sshd === undefined) return;
  moto = await startMoto(program);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  ec2 = new EC2Client({ region: 'us-east-1', endpoint: moto.url, credentials });
  const described = await ec2.send(new DescribeSubnetsCommand());
  subnets = (described.Subnets ?? []).slice(0, 2).map(({ SubnetId }) => SubnetId!);
  hosts = await Ec2Hosts.open(sshd);
  proxy = await startEc2Proxy(moto.url);
  proxy.onReply = (request, reply) => hosts.onReply(request, reply);
  config = join(hosts.folder, 'ec2.yaml');
  writeFileSync(config, exampleAtEmulator());
}, 2 * motoPatienceMs);
afterAll(async () => {
  await proxy?.close();
  await hosts?.close();
  ec2?.destroy();
  await moto?.stop();
});

function requireBoth(context: TestContext): void {
  if (program !== undefined && sshd !== undefined) return;
  const missing = program === undefined ? missingMoto : 'sshd is not installed';
  if (process.env['CI'] === 'true') throw new Error(missing);
  context.skip(missing);
}

async function cloudtest(...options: string[]): Promise<{ code: number; report: CloudTestReport }> {
  const command = startCommand(['cloudtest', '--config', config, '--json', ...options]);
  const code = await command.exitCode;
  if (command.out === '') expect.fail(`no report: ${command.err}`);
  return { code, report: JSON.parse(command.out) as CloudTestReport };
}

/** Instances of the emulator that live, and their hosts. */
async function left(): Promise<{ instances: number; hosts: number }> {
  const { Reservations: found = [] } = await ec2.send(new DescribeInstancesCommand());
  const states = found.flatMap(({ Instances: all = [] }) => all.map(({ State }) => State?.Name));
  return { instances: states.filter((state) => state !== 'terminated').length, hosts: hosts.running.length };
}

describe('longshore cloudtest with examples/ec2.yaml, pointed at an emulator', { timeout: 600_000 }, () => {
  it('takes an instance of each subnet from creation to destruction (CT-5, CT-6)', async (context) => {
    requireBoth(context);
    const { code, report } = await cloudtest('--run', 'echo "$((40 + 2)) on $(whoami)"');
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect([code, report.ok, report.driver, report.instanceType]).toEqual([0, true, 'ec2', 'm7large']);
    for (const subnet of subnets) {
      const steps = report.steps.filter(({ zone }) => zone === subnet);
      expect(steps.map(({ step }) => step)).toEqual(
        'list,create,listed,address,tags,set tags,login,boot probe,command,destroy'.split(','),
      );
      expect(steps.find(({ step }) => step === 'command')?.detail).toBe(`42 on ${userInfo().username}`);
    }
    const runs = proxy.requests.filter(({ action }) => action === 'RunInstances');
    expect(runs.map(({ parameters }) => parameters.get('NetworkInterface.1.SubnetId'))).toEqual(subnets);
    expect(runs[0]!.parameters.get('BlockDeviceMapping.1.Ebs.VolumeSize')).toBe('100');
    expect(await left()).toEqual({ instances: 0, hosts: 0 });
  });

  it('takes a spot instance of the type that is asked for', async (context) => {
    requireBoth(context);
    proxy.requests.length = 0;
    const { code, report } = await cloudtest('--type', 'm7xlarge.spot');
    expect([code, report.instanceType]).toEqual([0, 'm7xlarge.spot']);
    const run = proxy.requests.find(({ action }) => action === 'RunInstances')!;
    expect(run.parameters.get('InstanceMarketOptions.SpotOptions.MaxPrice')).toBe('0.12');
    expect(await left()).toEqual({ instances: 0, hosts: 0 });
  });

  it('tests the other subnet when one is broken, and says what to do (DT-38)', async (context) => {
    requireBoth(context);
    const [broken, good] = subnets;
    const text = `The subnet ID '${broken}' does not exist`;
    proxy.intercept = ({ action, parameters }) =>
      action === 'RunInstances' && parameters.get('NetworkInterface.1.SubnetId') === broken
        ? ec2Error(400, 'InvalidSubnetID.NotFound', text)
        : undefined;
    const { code, report } = await cloudtest();
    proxy.intercept = () => undefined;
    expect(code).toBe(1);
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([
      expect.objectContaining({
        step: 'create',
        zone: broken,
        detail: expect.stringContaining(text) as string,
      }),
    ]);
    expect(report.steps.at(-1)).toMatchObject({ step: 'destroy', zone: good, ok: true });
    expect(await left()).toEqual({ instances: 0, hosts: 0 });
  });
});
