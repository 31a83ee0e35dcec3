import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';

const patient = { timeout: 60_000, interval: 20 };
const yaml = `
managementToken: ${managementToken}
driver: loopback
driverParameters: { maxInstances: 1 }
instanceTypes: { small: { vcpus: 8, ram: 8GiB, includedScratch: 8GiB, price: 0.1 } }
pool: { bootProbeCommand: 'true', maxInstances: 1, probeInterval: 500ms, syncInterval: 1s }`;

describe('the output of a container that runs', { timeout: 120_000 }, () => {
  let app: InProcess;
  beforeAll(async () => (app = await startInProcess(yaml)));
  afterAll(() => app.stop());

  async function submit(script: string): Promise<string> {
    const body = { containers: [{ command: ['sh', '-c', script], vcpus: 1, ram: '1MiB' }] };
    return (await app.ask('/v1/containers', { body })).json.items[0].uuid as string;
  }

  /** A container that prints on both streams, and goes on once the file is there. */
  async function talker(name: string): Promise<{ uuid: string; goOn(): Promise<void> }> {
    const flag = `${app.folder}/${name}`;
    const script = `echo out-1; echo err-1 >&2; until [ -e ${flag} ]; do sleep 0.05; done; echo out-2; echo err-2 >&2`;
    const { writeFile } = await import('node:fs/promises');
    return { uuid: await submit(script), goOn: () => writeFile(flag, '') };
  }

  it('is followed on both streams at once, from before it begins until it ended', async () => {
    const { uuid, goOn } = await talker('both');
    const headers = { authorization: `Bearer ${managementToken}` };
    const response = await fetch(`${app.daemon.url}/v1/containers/${uuid}/logs?stream=both&follow=1`, {
      headers,
    });
    let told = '';
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body!) told += decoder.decode(chunk as Uint8Array, { stream: true });
    })();
    await expect.poll(() => told.split('\n').sort(), patient).toEqual(['', 'err-1', 'out-1']);
    expect((await app.ask(`/v1/containers/${uuid}`)).json.state).toBe('Running');
    await goOn();
    await reading;
    expect(told.split('\n').sort()).toEqual(['', 'err-1', 'err-2', 'out-1', 'out-2']);
    expect((await app.ask(`/v1/containers/${uuid}`)).json.state).toBe('Complete');
  });

  it('goes to both outputs of the command line, each where it belongs', async () => {
    const { uuid, goOn } = await talker('command');
    const { output, exitCode } = runCommand(app, ['logs', '-f', uuid]);
    await expect.poll(() => output, patient).toEqual({ out: 'out-1\n', err: 'err-1\n' });
    await goOn();
    expect(await exitCode).toBe(0);
    expect(output).toEqual({ out: 'out-1\nout-2\n', err: 'err-1\nerr-2\n' });
    const alone = runCommand(app, ['logs', '--stream', 'stderr', uuid]);
    expect([await alone.exitCode, alone.output]).toEqual([0, { out: 'err-1\nerr-2\n', err: '' }]);
    const unknown = runCommand(app, ['logs', '-f', 'wired-dz642-000000000000000']);
    expect([await unknown.exitCode, unknown.output.err]).toEqual([
      1,
      expect.stringContaining('container not found'),
    ]);
  });

  it('is cut at the limit of each stream, and the rest of the container is not held up', async () => {
    const uuid = await submit(
      `yes 'a line of a container that says very much' | head -c 3000000; echo told >&2; exit 7`,
    );
    const { output, exitCode } = runCommand(app, ['logs', '-f', uuid]);
    expect(await exitCode).toBe(0);
    expect([output.out.length, output.err]).toEqual([1_048_576, 'told\n']);
    expect((await app.ask(`/v1/containers/${uuid}`)).json.exitCode).toBe(7);
  });
});
