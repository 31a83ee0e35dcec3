import { afterAll, type TestContext } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import { openDriver } from '../../../src/drivers/registry.js';
import { ec2Error, startEc2Proxy, type Ec2Answer } from '../../support/ec2-proxy.js';
import { findMoto, missingMoto, startMoto, type Moto } from '../../support/moto.js';
import { describeDriverContract, spec, type, type CloudFault } from '../contract.js';

const program = findMoto();
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
let moto: Promise<Moto> | undefined;

afterAll(async () => (await moto)?.stop());

/** The documents of EC2's error codes, with the texts of its API Reference. */
const faults: Readonly<Record<CloudFault, Ec2Answer>> = {
  'rate-limited': ec2Error(503, 'RequestLimitExceeded', 'Request limit exceeded.'),
  capacity: ec2Error(
    500,
    'InsufficientInstanceCapacity',
    'There is not enough capacity to fulfill your request.',
  ),
  auth: ec2Error(401, 'AuthFailure', 'AWS was not able to validate the provided access credentials'),
  unavailable: ec2Error(503, 'Unavailable', 'The server is overloaded and cannot handle the request.'),
  silent: 'silent',
};

async function open(more: Record<string, unknown> = {}) {
  if (program === undefined) throw new Error(missingMoto);
  moto ??= startMoto(program);
  const { url, reset } = await moto;
  await reset();
  const proxy = await startEc2Proxy(url);
  proxy.maxInstances = 2;
  const openOne = () =>
    openDriver('ec2', {
      parameters: {
        region: 'us-east-1',
        accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
        secretAccessKey,
        endpoint: proxy.url,
        ...more,
      },
      instanceSetId: 'zzzzz-gj3su-abc',
      stateDir: '.',
      clock: systemClock,
      random: Math.random,
      warn: () => {},
    });
  let driver = await openOne();
  return {
    driver,
    spec: (change = {}) =>
      spec({ imageId: 'ami-12c6146b', instanceType: type('small', { providerType: 't3.micro' }), ...change }),
    hostKeyOf: () => Promise.resolve(undefined),
    fault: (fault: CloudFault) => void (proxy.intercept = () => faults[fault]),
    reopen: async () => (driver = await openOne()),
    secrets: [secretAccessKey],
    end: async () => {
      await driver.stop();
      await proxy.close();
    },
  };
}

const needsMoto = (context: TestContext): void => {
  if (program !== undefined) return;
  if (process.env['CI'] === 'true') throw new Error(missingMoto);
  context.skip(missingMoto);
};
describeDriverContract('ec2', open, {}, needsMoto);
describeDriverContract('ec2, 10 a request', () => open({ instancesPerRequest: 10 }), {}, needsMoto);
