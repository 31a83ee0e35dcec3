import { execPath } from 'node:process';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/config-error.js';
import { parseConfig } from '../../src/config/load.js';
import { driverParameters } from '../../src/drivers/parameters.js';
import { driverNames } from '../../src/drivers/registry.js';

const sharedTypes = 'instanceTypes: { host: { vcpus: 4, ram: 8GiB, price: 1 } }\n';
const oneAtATime = 'scheduler: { maxRunningContainersPerInstance: 1 }\n';
const head = `clusterId: zzzzz
systemRootToken: v2/zzzzz-gj3su-077z32aux8dg2s1/abc
instanceTypes: { a: { vcpus: 1, ram: 1GiB, price: 1 } }
`;

function problemsIn(text: string): string[] {
  try {
    parseConfig(`${head}${text}\n`, { path: '/nowhere/c.yaml', env: {} });
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('the driver in the configuration', () => {
  it('has its parameters described, whichever it is', () => {
    expect([...driverParameters.keys()].sort()).toEqual([...driverNames].sort());
  });

  const azure = 'subscriptionId: s, resourceGroup: g, network: n, subnet: u';
  it.each([
    ['driver: ec3', '4:9: driver: "ec3" is no driver: did you mean ec2?'],
    ['driver: gce', 'driver: "gce" is no driver: did you mean'],
    ['driver: mainframe', 'driver: "mainframe" is no driver: known are azure, ec2, loopback, exec'],
    ['driver: ec2', 'driverParameters.region: is missing: give the region, like us-east-1'],
    ['driver: ec2\ndriverParameters: { region: virginia }', '5:29: driverParameters.region: give the region'],
    [
      'driver: ec2\ndriverParameters: { region: us-east-1, subnetIds: x }',
      '5:40: driverParameters.subnetIds: is not a setting: did you mean subnetId?',
    ],
    [
      'driver: ec2\ndriverParameters: { region: us-east-1, accessKeyId: AKIA }',
      'driverParameters.secretAccessKey: give both accessKeyId and secretAccessKey, or none',
    ],
    [
      'driver: ec2\ndriverParameters: { region: us-east-1, requestTimeout: soon }',
      'driverParameters.requestTimeout: give a duration like 30s',
    ],
    ['driver: azure', 'driverParameters.subscriptionId: is missing: give the id of the subscription'],
    [
      `driver: azure\ndriverParameters: { ${azure}, clientSecret: hush }`,
      'driverParameters.tenantId: is needed with clientSecret',
    ],
    [
      `driver: azure\ndriverParameters: { ${azure}, storageAccount: hush }`,
      'driverParameters.storageAccount: is no parameter any more: Azure has ended unmanaged disks',
    ],
    ['driver: exec', 'driverParameters.command: is missing: give a list'],
    ['driver: static', 'driverParameters.hosts: is missing: give a list'],
    ['driverParameters: { maxInstance: 3 }', 'is not a setting: did you mean maxInstances?'],
    ['driver: simulated\ndriverParameters: { crashRate: 2 }', 'driverParameters.crashRate: give 1 or less'],
  ])('in "%s" is refused by its own rules, with place and remedy (C-23, L-44)', (text, expected) => {
    const found = problemsIn(text);
    expect(found[0]).toContain(expected);
    expect(found.join(' ')).not.toContain('hush');
  });

  it('is checked with the secrets that were fetched, and not by those who talk to no provider', () => {
    const text = `${head}driver: ec2\ndriverParameters: { accessKeyId: env:ID, secretAccessKey: env:KEY }\n`;
    const options = { path: '/nowhere/c.yaml', env: { ID: 'AKIA', KEY: 'hush' } };
    expect(() => parseConfig(text, options)).toThrow(/^[^\n]*driverParameters\.region: is missing[^\n]*$/);
    expect(() => parseConfig(text, { ...options, secrets: ['managementToken'] })).not.toThrow();
  });

  it.each(['/proc/self/exe', '../proc/self/exe', '/proc/4711/exe', execPath])(
    'has no runner that is Node.js: %s (C-17)',
    (deploy) => {
      const [problem] = problemsIn(`runner: { deploy: ${deploy} }`);
      expect(problem).toContain('runner.deploy: is the program of this process, Node.js');
      expect(problem).toContain("give built-in, Longshore's own runner");
      const buffers = 'scheduler: { localKeepBlobBuffersPerVcpu: 0 }';
      const other = `runner: { deploy: ${deploy} }\ncontroller: { url: https://c.example, withoutLock: true }\n${buffers}`;
      expect(problemsIn(other)[0]).toContain("give the path of the cluster's crunch-run, or ''");
    },
  );

  it('may have plain secrets in tags, which is off unless asked for, and warned of', () => {
    const parse = (text: string) => parseConfig(`${head}${text}`, { path: '/nowhere/c.yaml', env: {} });
    const trusted = 'driver: simulated\n';
    expect([parse(trusted).pool.plainSecretTag, parse(trusted).warnings]).toEqual([false, []]);
    const { pool, warnings } = parse(`${trusted}pool: { plainSecretTag: true }\n`);
    expect(pool.plainSecretTag).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('set false once the old dispatcher is not needed')]);
  });

  it('is warned of where containers without an image can harm one another, or the daemon', () => {
    const warningsOf = (driver: string, more = ''): readonly string[] =>
      parseConfig(`clusterId: zzzzz\ndriver: ${driver}\n${sharedTypes}${more}`, {
        path: '/nowhere/c.yaml',
        env: {},
      }).warnings;
    expect(warningsOf('loopback')).toEqual([expect.stringContaining('trusted work only')]);
    expect(warningsOf('loopback', oneAtATime)).toEqual([expect.stringContaining('trusted work only')]);
    const program = 'driverParameters: { command: [./driver] }\n';
    expect(warningsOf('exec', program)).toEqual([expect.stringContaining('can read the output')]);
    expect(warningsOf('exec', program + oneAtATime)).toEqual([]);
  });
});
