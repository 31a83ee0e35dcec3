import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { runProgram } from '../../../src/cli/program.js';
import { parseConfig } from '../../../src/config/load.js';
import { offeredTypes } from '../../../src/drivers/offered-types.js';
import { ec2Error, startEc2Proxy, type Ec2Answer, type Ec2Proxy } from '../../support/ec2-proxy.js';
import { startPriceList, type PriceListServer } from '../../support/price-list.js';
import { never } from '../contract.js';
import { credentials, reply } from './world.js';

let ec2: Ec2Proxy;
let list: PriceListServer;
let out: string;
let err: string;

const typeXml = (name: string, more = '', arch = 'x86_64') =>
  `<item><instanceType>${name}</instanceType><currentGeneration>true</currentGeneration><bareMetal>false</bareMetal>` +
  `<supportedUsageClasses><item>on-demand</item>${name.startsWith('u') ? '' : '<item>spot</item>'}</supportedUsageClasses>` +
  `<processorInfo><supportedArchitectures><item>${arch}</item></supportedArchitectures></processorInfo>` +
  `<vCpuInfo><defaultVCpus>4</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>16384</sizeInMiB></memoryInfo>${more}</item>`;
const disks = '<instanceStorageInfo><totalSizeInGB>237</totalSizeInGB></instanceStorageInfo>';
const gpus =
  '<gpuInfo><gpus><item><name>T4</name><manufacturer>NVIDIA</manufacturer><count>1</count><memoryInfo><sizeInMiB>16384' +
  '</sizeInMiB></memoryInfo></item></gpus></gpuInfo>';
const types = (content: string, next = ''): Ec2Answer =>
  reply(
    'DescribeInstanceTypes',
    `<instanceTypeSet>${content}</instanceTypeSet><nextToken>${next}</nextToken>`,
  );

async function run(...argv: string[]): Promise<number> {
  out = '';
  err = '';
  const unused = () => Promise.reject(new Error('not here'));
  return runProgram(['types', ...argv], {
    serve: unused,
    machineChart: () => '',
    stores: { migrate: unused, copy: unused },
    forecastParts: () => Promise.reject(new Error('not asked for here')),
    replayFile: unused,
    offeredTypes: (driver, parameters, query) => offeredTypes(driver, parameters, query, never),
    version: '0',
    output: { write: (text) => (out += text), error: (text) => (err += text), isTerminal: false },
    env: {},
  });
}

beforeEach(async () => {
  ec2 = await startEc2Proxy();
  list = await startPriceList({
    'm7i.xlarge': 0.2016,
    'm7id.xlarge': 0.2373,
    'g4dn.xlarge': 0.526,
    'u9.xlarge': 3,
  });
  vi.stubEnv('AWS_ENDPOINT_URL_EC2', ec2.url);
  vi.stubEnv('AWS_ENDPOINT_URL_PRICING', list.url);
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await ec2.close();
  await list.close();
});

const region = ['--driver', 'ec2', '--region', 'us-east-1'];

describe('longshore types', () => {
  it('writes a block that the configuration takes, the cheapest first', async () => {
    const pages = [
      types(typeXml('g4dn.xlarge', gpus + disks) + typeXml('m7i.xlarge'), 'more'),
      types(typeXml('m7id.xlarge', disks)),
    ];
    ec2.intercept = () => pages.shift();
    expect([await run(...region, '--scratch', '300GB', '--spot'), err]).toEqual([0, '']);
    const text = `clusterId: types\ndriver: ec2\ndriverParameters: { region: us-east-1 }\n${out}`;
    const { instanceTypes } = parseConfig(text, { path: 'longshore.yaml', env: {} });
    expect([...instanceTypes.keys()]).toEqual([
      'm7i.xlarge',
      'm7i.xlarge.spot',
      'm7id.xlarge',
      'm7id.xlarge.spot',
      'g4dn.xlarge',
      'g4dn.xlarge.spot',
    ]);
    expect(instanceTypes.get('m7i.xlarge')).toMatchObject({
      providerType: 'm7i.xlarge',
      vcpus: 4,
      ramBytes: 16 * 2 ** 30,
      includedScratchBytes: 0,
      addedScratchBytes: 300e9,
      price: 0.2016,
      preemptible: false,
    });
    expect(instanceTypes.get('m7id.xlarge.spot')).toMatchObject({
      includedScratchBytes: 237e9,
      addedScratchBytes: 63e9,
      price: 0.2373,
      preemptible: true,
    });
    expect(instanceTypes.get('g4dn.xlarge')!.gpu).toMatchObject({
      stack: 'cuda',
      hardwareTarget: '7.5',
      deviceCount: 1,
      vramBytes: 16 * 2 ** 30,
    });
  });

  it('leaves out other processors, what has no price, and what was not asked for', async () => {
    const found = [
      typeXml('m7i.xlarge'),
      typeXml('m7g.xlarge', '', 'arm64'),
      typeXml('m7new.xlarge'),
      typeXml('c7i.large'),
    ];
    ec2.intercept = () => types(found.join(''));
    expect(await run(...region, '--match', 'm7*,u9.*')).toBe(0);
    expect(Object.keys((parse(out) as { instanceTypes: object }).instanceTypes)).toEqual(['m7i.xlarge']);
    expect(err).toContain('m7new.xlarge');
    const [request] = ec2.requests;
    expect(request!.parameters.get('Filter.1.Value.2')).toBe('u9.*');
    expect(list.asked.at(0)).toMatchObject({
      regionCode: 'us-east-1',
      operatingSystem: 'Linux',
      tenancy: 'Shared',
      capacitystatus: 'Used',
    });
  });

  it('has no preemptible twin of a type that cannot be one', async () => {
    ec2.intercept = () => types(typeXml('u9.xlarge'));
    expect(await run(...region, '--spot')).toBe(0);
    expect(Object.keys((parse(out) as { instanceTypes: object }).instanceTypes)).toEqual(['u9.xlarge']);
  });

  it('says so, and fails, when nothing is left', async () => {
    ec2.intercept = () => types('');
    expect(await run(...region, '--match', 'nothing.*')).toBe(1);
    expect(out).toBe('');
    expect(err).toContain('--match');
  });

  it('tells what EC2 refuses, and what to do', async () => {
    ec2.intercept = () =>
      ec2Error(403, 'UnauthorizedOperation', 'You are not authorized to perform this operation.');
    expect(await run(...region)).toBe(1);
    expect(err).toContain('UnauthorizedOperation');
    expect(err).toContain('docs/ec2.md');
  });

  it.each([
    [[], '--driver ec2'],
    [['--driver', 'ec2'], '--region'],
    [['--driver', 'loopback', '--region', 'x'], 'ec2'],
    [[...region, '--scratch', 'much'], '--scratch'],
  ])('refuses %o as wrong use', async (argv, remedy) => {
    expect(await run(...argv)).toBe(2);
    expect(err).toContain(remedy);
  });

  it('takes region and credentials from the configuration; --json is the description itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore-types-'));
    const path = join(folder, 'longshore.yaml');
    const parameters = `{ region: eu-west-1, accessKeyId: AKIDCONFIGURED, secretAccessKey: configured, endpoint: '${ec2.url}' }`;
    writeFileSync(
      path,
      `clusterId: types\ndriver: ec2\ndriverParameters: ${parameters}\ninstanceTypes: { a: { vcpus: 1, ram: 1GiB, price: 1 } }\n`,
    );
    ec2.intercept = () => types(typeXml('m7i.xlarge'));
    expect([await run('--config', path, '--json'), err]).toEqual([0, '']);
    rmSync(folder, { recursive: true });
    expect(JSON.parse(out)).toMatchObject([
      { providerType: 'm7i.xlarge', price: 0.2016, canBePreemptible: true },
    ]);
    expect(list.asked[0]).toMatchObject({ regionCode: 'eu-west-1', instanceType: 'm7i.xlarge' });
  });
});
