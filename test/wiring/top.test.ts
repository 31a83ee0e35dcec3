import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';

const soon = { timeout: 30_000, interval: 20 };
let world: InProcess;

beforeAll(async () => {
  world = await startInProcess(`
managementToken: ${managementToken}
driver: loopback
driverParameters: { maxInstances: 3 }
instanceTypes: { small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
pool: { bootProbeCommand: 'true', timeoutIdle: 10m, syncInterval: 1s, probeInterval: 1s }
`);
});
afterAll(() => world?.stop());

const submit = () =>
  world.ask('/v1/containers', { body: { containers: [{ command: ['true'], vcpus: 1, ram: '16MiB' }] } });

describe('longshore top', () => {
  it('prints one picture, or one line of JSON, on a pipe', async () => {
    const once = runCommand(world, ['top', '--once']);
    expect(await once.exitCode).toBe(0);
    expect(once.output.out).toMatch(/^longshore .* instances .*\/h/);
    expect(once.output.out).not.toContain('\u001b');
    const json = runCommand(world, ['top', '--once', '--json']);
    expect(await json.exitCode).toBe(0);
    const { fleet, instances } = JSON.parse(json.output.out);
    expect([fleet.health, instances]).toEqual(['OK', []]);
    expect(json.output.out.trim().split('\n')).toHaveLength(1);
  });

  it('follows the fleet on a terminal, and gives the terminal back', async () => {
    const terminal = new FakeTerminal(true);
    const { exitCode } = runCommand(world, ['top'], { terminal });
    await expect.poll(() => terminal.shown, soon).toContain('INSTANCE');
    await submit();
    await expect.poll(() => terminal.shown, soon).toContain('booting');
    await expect.poll(() => terminal.shown.split('\u001b[H').at(-1), soon).toMatch(/small .*127\.0\.0\.1/);
    terminal.resize(20, 5);
    await expect
      .poll(() => terminal.shown.split('\u001b[H').at(-1)!.split('\r\n').length, soon)
      .toBeLessThanOrEqual(5);
    terminal.stdin.write('s');
    terminal.stdin.write('q');
    expect(await exitCode).toBe(0);
    expect(terminal.isLeftAlone).toBe(true);
    expect(terminal.shown.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  });

  it('says so while the daemon is away, and fails when it never answered', async () => {
    const nobody = { daemon: { ...world.daemon, url: 'http://127.0.0.1:9' } };
    const terminal = new FakeTerminal(true);
    const away = runCommand(nobody, ['top'], { terminal });
    expect(await away.exitCode).toBe(3);
    expect(terminal.isLeftAlone).toBe(true);
    expect(await runCommand(nobody, ['top', '--once']).exitCode).toBe(3);
    const wrong = runCommand(world, ['top'], { terminal: new FakeTerminal(true), token: 'wrong' });
    expect(await wrong.exitCode).toBe(4);
    expect(await runCommand(world, ['top', '--once', '--interval', 'soon']).exitCode).toBe(2);
  });
});
