import { Registry } from 'prom-client';
import type { DriverWarning } from '../../../src/drivers/driver.js';
import { Ec2Driver } from '../../../src/drivers/ec2/ec2-driver.js';
import { parseEc2Parameters } from '../../../src/drivers/ec2/parameters.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import { startEc2Proxy, type Ec2Answer, type Ec2Proxy, type Ec2Request } from '../../support/ec2-proxy.js';

export const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };

/** A driver whose EC2 says what the test wants, in EC2's own documents. */
export interface Ec2World {
  driver: Ec2Driver;
  clock: HeapClock;
  proxy: Ec2Proxy;
  registry: Registry;
  warnings: { message: string; fields: Readonly<Record<string, unknown>> }[];
  /** Actions in order, the common beginning of their requests cut off. */
  actions(): string[];
  close(): Promise<void>;
}

export async function ec2World(
  parameters: Record<string, unknown> = {},
  answer: (request: Ec2Request) => ReturnType<Ec2Proxy['intercept']> = () => undefined,
): Promise<Ec2World> {
  const proxy = await startEc2Proxy();
  proxy.intercept = async (request) => (await answer(request)) ?? documents[request.action]?.(request);
  const clock = new HeapClock(1_800_000_000_000);
  const registry = new Registry();
  const warnings: Ec2World['warnings'] = [];
  const warn: DriverWarning = (message, fields) => void warnings.push({ message, fields });
  const driver = new Ec2Driver({
    parameters: parseEc2Parameters({
      region: 'us-east-1',
      ...credentials,
      endpoint: proxy.url,
      ...parameters,
    }),
    clock,
    resourceTags: { Owner: 'tests' },
    registry,
    warn,
  });
  return {
    driver,
    clock,
    proxy,
    registry,
    warnings,
    actions: () => proxy.requests.map(({ action }) => action),
    close: async () => {
      await driver.stop();
      await proxy.close();
    },
  };
}

/** A reply of EC2's query protocol. */
export function reply(action: string, content: string): Ec2Answer {
  const body =
    `<?xml version="1.0" encoding="UTF-8"?>\n<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">` +
    `<requestId>fdcdcab1-ae5c-489e-9c33-4637c5dda355</requestId>${content}</${action}Response>`;
  return { status: 200, body };
}

export interface Described {
  id: string;
  state?: string;
  subnet?: string;
  zone?: string;
  isSpot?: boolean;
  launchIndex?: number;
  /** Why it is in its state. */
  reason?: { code: string; message: string };
  tags?: Record<string, string>;
}

/** An instance as DescribeInstances and RunInstances show it, in the parts that matter and some that do not. */
export function instanceXml({
  id,
  state = 'running',
  subnet = 'subnet-1',
  zone = 'us-east-1a',
  ...more
}: Described) {
  const tags = Object.entries(more.tags ?? {}).map(
    ([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`,
  );
  return (
    `<item><instanceId>${id}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>${state}</name>` +
    `</instanceState><reason/><amiLaunchIndex>${more.launchIndex ?? 0}</amiLaunchIndex><instanceType>t3.micro</instanceType><placement><availabilityZone>${zone}` +
    `</availabilityZone><tenancy>default</tenancy></placement><subnetId>${subnet}</subnetId>` +
    `<privateIpAddress>10.0.0.7</privateIpAddress><groupSet><item><groupId>sg-1</groupId></item></groupSet>` +
    (more.reason
      ? `<stateReason><code>${more.reason.code}</code><message>${more.reason.message}</message></stateReason>`
      : '') +
    `<blockDeviceMapping><item><ebs><status>attached</status></ebs></item></blockDeviceMapping>` +
    `${more.isSpot ? '<instanceLifecycle>spot</instanceLifecycle>' : ''}<tagSet>${tags.join('')}</tagSet>` +
    `<networkInterfaceSet><item><tagSet><item><key>of</key><value>the interface</value></item></tagSet>` +
    `<privateIpAddress>10.9.9.9</privateIpAddress></item></networkInterfaceSet></item>`
  );
}

export function page(instances: readonly Described[], nextToken?: string): Ec2Answer {
  const set = `<item><reservationId>r-1</reservationId><instancesSet>${instances.map(instanceXml).join('')}</instancesSet></item>`;
  const next = nextToken === undefined ? '' : `<nextToken>${nextToken}</nextToken>`;
  return reply('DescribeInstances', `<reservationSet>${set}</reservationSet>${next}`);
}

/** What EC2 says when all is well. */
const documents: Readonly<Record<string, (request: Ec2Request) => Ec2Answer>> = {
  RunInstances: () =>
    reply('RunInstances', `<instancesSet>${instanceXml({ id: 'i-0a', state: 'pending' })}</instancesSet>`),
  DescribeInstances: () => page([]),
  DescribeKeyPairs: () => reply('DescribeKeyPairs', '<keySet/>'),
  ImportKeyPair: ({ parameters }) =>
    reply('ImportKeyPair', `<keyName>${parameters.get('KeyName')}</keyName>`),
  TerminateInstances: () => reply('TerminateInstances', '<instancesSet/>'),
  CreateTags: () => reply('CreateTags', '<return>true</return>'),
  DeleteTags: () => reply('DeleteTags', '<return>true</return>'),
  DescribeSpotPriceHistory: () => reply('DescribeSpotPriceHistory', '<spotPriceHistorySet/><nextToken/>'),
};
