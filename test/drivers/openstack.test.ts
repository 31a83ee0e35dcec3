import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/domain/clock.js';
import type { Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { requireTool } from '../support/tools.js';
import { describeDriverContract, wrapped } from './contract.js';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const password = 'correct horse battery';

describeDriverContract(
  'exec (OpenStack)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-openstack-'));
    await mkdir(join(folder, 'bin'));
    await symlink(at('openstack-stub'), join(folder, 'bin', 'openstack'));
    const opened: Driver[] = [];
    const open = async (): Promise<Driver> => {
      const driver = await openDriver('exec', {
        parameters: {
          command: [at('../../examples/openstack-driver')],
          env: {
            PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`,
            STUB_DIR: folder,
            OS_PASSWORD: password,
          },
        },
        instanceSetId: 'set',
        stateDir: folder,
        folder,
        clock: systemClock,
        random: Math.random,
        secrets: [password],
        warn: () => {},
      });
      opened.push(driver);
      return driver;
    };
    return {
      driver: wrapped(await open(), 60_000, [password]),
      hostKeyOf: () => Promise.resolve(undefined),
      end: async () => {
        for (const driver of opened) await driver.stop();
        await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      },
      fault: (fault) => writeFile(join(folder, 'fault'), fault),
      reopen: open,
      secrets: [password],
    };
  },
  {},
  (context) => void requireTool(context, 'jq'),
);
