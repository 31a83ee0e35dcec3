import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { parseAzureParameters } from '../../src/drivers/azure/parameters.js';
import { parseEc2Parameters } from '../../src/drivers/ec2/parameters.js';
import { quotaGroupOf } from '../../src/drivers/ec2/quota-group.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { driverNames } from '../../src/drivers/registry.js';
import { azureQuotaGroup } from '../../src/drivers/azure/quota-group.js';

const folder = join(import.meta.dirname, '../../examples');
/** What the examples take from the environment. */
const key = generateKeyPair().privateKey;
const env = new Proxy(
  {},
  { get: (_, name) => (/KEY/.test(String(name)) ? key : `value-of-${String(name)}`) },
) as NodeJS.ProcessEnv;

describe('the examples', () => {
  // A workload of "longshore simulate" is no configuration.
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml') && name !== 'burst.yaml');

  it.each(files)('%s is a configuration without fault', (name) => {
    const config = loadConfig(join(folder, name), env);
    expect(driverNames).toContain(config.driver);
  });

  it('ec2.yaml is one the ec2 driver takes', () => {
    const { driverParameters, instanceTypes } = loadConfig(join(folder, 'ec2.yaml'), env);
    const { instanceTypeQuotaGroups, subnetId } = parseEc2Parameters(driverParameters);
    expect(subnetId).toHaveLength(2);
    const groups = [...instanceTypes.values()].map((type) => quotaGroupOf(type, instanceTypeQuotaGroups));
    expect(new Set(groups)).toEqual(new Set(['standard', 'standard-spot']));
  });

  it('azure.yaml is one the azure driver takes', () => {
    const { driverParameters, instanceTypes, pool } = loadConfig(join(folder, 'azure.yaml'), env);
    expect(parseAzureParameters(driverParameters)).toMatchObject({ managedIdentity: true });
    for (const type of instanceTypes.values()) {
      expect(type.addedScratchBytes).toBe(0);
      expect(['DDSv5', 'spot']).toContain(azureQuotaGroup(type));
    }
    expect(pool.maxConcurrentCreates).toBe(20);
  });
});
