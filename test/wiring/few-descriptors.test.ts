import { execFile } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { fewDescriptorsFor, tooFewDescriptors } from '../../src/daemon/descriptor-limit.js';
import { DaemonProcess } from '../support/daemon.js';

const patient = { timeout: 60_000, interval: 100 };
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Runs a file in a process of its own that may have so many descriptors. */
function limited(limit: number, file: string, ...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const words = [`--nofile=${limit}:${limit}`, process.execPath, '--import', 'tsx', file, ...args];
    execFile('prlimit', words, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, out, err });
    });
  });
}

describe('a process with few file descriptors', { timeout: 120_000 }, () => {
  it('says what is short and the remedy before it loads anything', async () => {
    const { code, err } = await limited(64, path('../../src/main.ts'), '--version');
    expect([code, err]).toEqual([
      1,
      'longshore: this process may have 64 files open, and needs 1024 at least: raise the limit with "ulimit -n 4096", ' +
        'or LimitNOFILE=4096 in its systemd unit\n',
    ]);
  });

  it('does all it can with just enough', async () => {
    expect(await limited(1_024, path('../../src/main.ts'), '--version')).toMatchObject({ code: 0, err: '' });
  });

  it('compares the limit with the largest fleet', () => {
    expect(tooFewDescriptors(1_023)).toContain('needs 1024');
    expect([tooFewDescriptors(1_024), tooFewDescriptors(undefined)]).toEqual([undefined, undefined]);
    expect(fewDescriptorsFor(1_000, 1_024)).toContain('1000 instances may need 2256: raise the limit');
    expect(fewDescriptorsFor(64, 1_024)).toBeUndefined();
  });

  it('has every effect fail by itself when none is left, and lives on', async () => {
    const { code, out, err } = await limited(1_024, path('../support/exhausted-process.ts'));
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual({
      shell: expect.stringMatching(/^rejected .*the command cannot be started: spawn sh EMFILE/),
      program: expect.stringMatching(/^rejected unavailable the driver program cat cannot be started now/),
      'stop of a program': 'resolved undefined',
      'service manager': expect.stringContaining('EMFILE'),
      ssh: expect.stringMatching(/^rejected /),
      'ssh server': expect.stringMatching(/^rejected EMFILE/),
      viewer: expect.stringContaining('the inspector cannot listen'),
    });
  });
});

describe('a daemon on loopback that strangers connect to', { timeout: 180_000 }, () => {
  let daemon: DaemonProcess;
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await daemon.remove();
  });

  const connectTo = (host: string, port: number, count: number): void => {
    for (let each = 0; each < count; each++) {
      const socket = connect({ host, port });
      socket.on('error', () => {});
      sockets.push(socket);
    }
  };
  const finished = async (): Promise<number> => {
    const { containers } = await daemon.call<{ containers: { Complete: number } }>('/v1/status');
    return containers.Complete;
  };

  const submitAndWait = async (count: number): Promise<void> => {
    await daemon.call('/v1/containers', { containers: [{ command: ['true'], vcpus: 1 }] });
    await expect.poll(finished, patient).toBe(count);
  };

  it('works on beside 450 half-open logins on its instance', async () => {
    daemon = await DaemonProcess.create();
    expect(await daemon.start()).toBeUndefined();
    await submitAndWait(1);
    const { items } = await daemon.call<{ items: { address: string }[] }>('/v1/instances');
    const [host = '', port = ''] = items[0]!.address.split(':');
    const before = daemon.openDescriptors;
    connectTo(host, Number(port), 450);
    await submitAndWait(2);
    expect(daemon.openDescriptors - before).toBeLessThan(150);
  });

  it('lives on when it has no descriptor left, and works on once it has', async () => {
    daemon = await DaemonProcess.create();
    expect(await daemon.start()).toBeUndefined();
    await submitAndWait(1);
    await daemon.call('/v1/containers', { containers: [{ command: ['sleep', '600'], vcpus: 1 }] });
    daemon.limitDescriptors(daemon.openDescriptors - 5);
    const { hostname, port } = new URL(daemon.url);
    connectTo(hostname, Number(port), 100);
    // Each probe of its instance needs a process.
    await expect.poll(() => daemon.log, patient).toContain('EMFILE');
    for (const socket of sockets.splice(0)) socket.destroy();
    daemon.limitDescriptors(1_024);
    await submitAndWait(2);
    expect(daemon.log).not.toContain('uncaught exception');
  });
});
