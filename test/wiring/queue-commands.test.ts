import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DriverError } from '../../src/drivers/driver.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';
import { runCommand } from '../support/command-line.js';
import { ScriptedDriver } from '../support/scripted-driver.js';

const patient = { timeout: 60_000, interval: 100 };

describe('the queue and the breakers on the command line', { timeout: 120_000 }, () => {
  const driver = new ScriptedDriver();
  let app: InProcess;

  beforeAll(async () => {
    driver.fail('create', new DriverError('capacity', 'no room for small', { scope: 'type' }));
    app = await startInProcess(
      `managementToken: ${managementToken}
instanceTypes: { small: { vcpus: 2, ram: 1GiB, price: 0.1 } }`,
      { driver },
    );
  });
  afterAll(() => app.stop());

  const run = async (...argv: string[]): Promise<string> => {
    const { exitCode, output } = runCommand(app, argv);
    expect([argv, await exitCode]).toEqual([argv, 0]);
    return output.out;
  };

  it('say of each container that waits why it does, its number in line, and what would let it go on', async () => {
    await run('submit', '--vcpus', '2', '--', 'true');
    await run('submit', '--vcpus', '1', '--priority', '0', '--', 'true');
    await expect
      .poll(() => run('queue'), patient)
      .toContain('Position 1 in the queue: the provider has no capacity for the instance types');
    const [head, ...lines] = (await run('queue')).trim().split('\n');
    expect(head!.split('\t').slice(-2)).toEqual(['status', 'goes on with']);
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const [status, remedy] = line.split('\t').slice(-2);
      expect([status, remedy]).toEqual([expect.stringMatching(/\.$/), expect.stringMatching(/\.$/)]);
    }
    const { items } = JSON.parse(await run('queue', '--json')) as { items: { wait: { code: string } }[] };
    expect(items.map(({ wait }) => wait.code).sort()).toEqual(['priority-zero', 'types-at-capacity']);
  });

  it('list what holds creations off, and reset it', async () => {
    expect(await run('breakers')).toContain('capacity: type small\topen');
    const asked = driver.calls.filter(({ method }) => method === 'create').length;
    expect(await run('breakers', 'reset', 'capacity: type small')).toContain('reset');
    await expect
      .poll(() => driver.calls.filter(({ method }) => method === 'create').length, patient)
      .toBeGreaterThan(asked);
    await expect.poll(() => run('breakers', '--json'), patient).toContain('"state": "open"');
    expect(await run('breakers', 'reset', '--all')).toContain('capacity: type small');
  });
});
