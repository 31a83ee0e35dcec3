import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCommand, type CommandProcess } from '../support/command-process.js';
import { DaemonProcess } from '../support/daemon.js';
import { requireTool } from '../support/tools.js';

const patient = { timeout: 60_000, interval: 50 };

describe('a daemon that gets SIGHUP', { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let onTerminal: CommandProcess | undefined;
  beforeEach(async () => {
    daemon = await DaemonProcess.create();
  });
  afterEach(async () => {
    await onTerminal?.end();
    onTerminal = undefined;
    await daemon.remove();
  });

  it('goes on, and logs that it reloads nothing', async () => {
    await daemon.start();
    for (let time = 1; time <= 2; time++) {
      process.kill(daemon.pid, 'SIGHUP');
      await expect.poll(() => daemon.log.split('SIGHUP ignored: reloading').length - 1, patient).toBe(time);
    }
    expect(await daemon.call('/v1/status')).toMatchObject({ health: 'OK' });
    expect(await daemon.end('SIGTERM')).toBe(0);
  });

  it('stops when that is because its terminal is gone', async (context) => {
    const script = requireTool(context, 'script');
    const argv = ['--config', daemon.path('longshore.yaml'), 'serve'];
    onTerminal = startCommand(argv, { script });
    await expect.poll(() => existsSync(daemon.path('state', 'api-address')), patient).toBe(true);
    const pid = pidOf(daemon.path('longshore.yaml'));
    await onTerminal.end();
    await expect.poll(() => isAlive(pid), patient).toBe(false);
  });
});

/** Of the daemon itself, not of the program that made its terminal. */
function pidOf(configPath: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0] === process.execPath && words.includes(configPath);
    } catch {
      return false;
    }
  });
  return Number(found);
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
