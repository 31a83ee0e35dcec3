import { afterEach, describe, expect, it } from 'vitest';
import { runProgram, type ServeOptions } from '../../src/cli/program.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';
import { Viewer } from '../support/viewer.js';

const patient = { timeout: 60_000, interval: 50 };
const yaml = `
managementToken: ${managementToken}
systemRootToken: root-token-of-the-daemon
driver: loopback
driverParameters: { maxInstances: 2 }
instanceTypes:
  small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 }
  large: { vcpus: 4, ram: 4GiB, includedScratch: 4GiB, price: 0.4 }
pool: { bootProbeCommand: 'true', maxInstances: 2, maxConcurrentCreates: 2, probeInterval: 500ms, syncInterval: 1s }`;

let app: InProcess | undefined;
afterEach(async () => {
  await app?.stop();
  app = undefined;
});

async function submit(vcpus: number): Promise<string> {
  const command = ['sh', '-c', 'echo done'];
  const body = { containers: [{ command, vcpus, ram: '1MiB' }] };
  const { json } = await app!.ask('/v1/containers', { body });
  return json.items[0].uuid as string;
}

describe('a daemon that is told to inspect', () => {
  it('shows the chosen instances to a viewer, without any secret', { timeout: 120_000 }, async () => {
    app = await startInProcess(yaml, { inspect: { kind: 'type', name: 'large' } });
    const viewer = await Viewer.join(app.daemon.inspectorUrl!);
    const [onSmall, onLarge] = [await submit(1), await submit(4)];
    const stateOf = async (uuid: string): Promise<string> =>
      (await app!.ask(`/v1/containers/${uuid}`)).json.state;
    for (const uuid of [onSmall, onLarge]) await expect.poll(() => stateOf(uuid), patient).toBe('Complete');
    await expect.poll(() => viewer.actors(), patient).toContain(onLarge);
    const types = new Map<string, string>(
      app.daemon.pool.instances().map(({ instanceId, instanceType }) => [instanceId, instanceType.name]),
    );
    const shownRoots = viewer.shown.filter(({ type, parentId }) => type === '@xstate.actor' && !parentId);
    expect(shownRoots.map(({ name }) => types.get(name!))).toEqual(['large']);
    expect(new Set(viewer.shown.map(({ type }) => type)).size).toBe(3);
    const all = viewer.texts.join('\n');
    expect(all).not.toContain(onSmall);
    expect(all).not.toMatch(/in-process-token|root-token-of-the-daemon|PRIVATE KEY|sha256:/);
    viewer.leave();
  });

  it('is not told so by default', async () => {
    app = await startInProcess(yaml);
    expect(app.daemon.inspectorUrl).toBeUndefined();
  });
});

describe('longshore serve', () => {
  async function served(...argv: string[]): Promise<{ code: number; err: string; wishes: ServeOptions[] }> {
    const wishes: ServeOptions[] = [];
    let err = '';
    const never = (): Promise<never> => Promise.reject(new Error('not asked for here'));
    const code = await runProgram(['serve', ...argv], {
      serve: (_path, wish) => Promise.resolve(wishes.push(wish) - 1),
      machineChart: () => '',
      stores: { migrate: never, copy: never },
      replayFile: never,
      offeredTypes: never,
      forecastParts: never,
      version: '0',
      output: { write: () => {}, error: (text) => (err += text), isTerminal: false },
      env: { LONGSHORE_CONFIG: 'longshore.yaml' },
    });
    return { code, err, wishes };
  }

  it('takes what to inspect, and where to listen', async () => {
    const wish = async (...argv: string[]) => (await served(...argv)).wishes;
    expect(await wish()).toEqual([{ inspect: undefined, inspectPort: undefined }]);
    expect(await wish('--inspect')).toEqual([{ inspect: '', inspectPort: undefined }]);
    expect(await wish('--inspect=i-1', '--inspect-port', '4711')).toEqual([
      { inspect: 'i-1', inspectPort: 4711 },
    ]);
    expect(await wish('--inspect=type=small')).toEqual([{ inspect: 'type=small', inspectPort: undefined }]);
    expect(await served('--inspect-port', 'http')).toMatchObject({
      code: 2,
      err: expect.stringContaining('use a port from 0 to 65535') as string,
      wishes: [],
    });
  });
});
