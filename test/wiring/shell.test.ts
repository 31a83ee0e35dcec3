import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { jsonFrame, parseFrame } from '../../src/domain/shell-frames.js';
import { runCommand } from '../support/command-line.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';
import { requireTool } from '../support/tools.js';

const soon = { timeout: 30_000, interval: 20 };
let world: InProcess;
let instance = '';

interface Listed {
  instance: string;
  state: string;
}

async function makeInstance(): Promise<string> {
  const listed = async (): Promise<Listed[]> => (await world.ask('/v1/instances')).json.items;
  const known = new Set((await listed()).map(({ instance: id }) => id));
  for (const id of known) await world.ask(`/v1/instances/${id}/hold`, { body: {} });
  await world.ask('/v1/containers', {
    body: { containers: [{ command: ['true'], vcpus: 1, ram: '16MiB' }] },
  });
  const made = await vi.waitFor(async () => {
    const found = (await listed()).find(({ instance: id, state }) => !known.has(id) && state === 'idle');
    if (!found) throw new Error('no new instance yet');
    return found.instance;
  }, soon);
  for (const id of known) await world.ask(`/v1/instances/${id}/run`, { body: {} });
  return made;
}

beforeAll(async () => {
  world = await startInProcess(`
managementToken: ${managementToken}
driver: loopback
driverParameters: { maxInstances: 3 }
instanceTypes: { small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
pool: { bootProbeCommand: 'true', timeoutIdle: 10m, syncInterval: 1s, probeInterval: 1s }
api: { listen: '127.0.0.1:0', maxShells: 3 }
`);
  instance = await makeInstance();
});
afterAll(() => world?.stop());

const journalOf = async (kind: string) => (await world.ask(`/v1/journal?kind=${kind}&limit=100`)).json.items;

describe('longshore ssh', () => {
  it('runs a command, hands on its output apart and its exit status', async () => {
    const { exitCode, terminal } = runCommand(world, [
      'ssh',
      instance,
      '--',
      'echo out; echo err >&2; exit 7',
    ]);
    expect(await exitCode).toBe(7);
    expect([terminal.shown, terminal.told]).toEqual(['out\n', 'err\n']);
  });

  it('carries much in both directions, unchanged', async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    const terminal = new FakeTerminal();
    const { exitCode } = runCommand(world, ['ssh', instance, '--', 'tee /dev/stderr | sha256sum >&2; true'], {
      terminal,
    });
    terminal.stdin.end(bytes);
    expect(await exitCode).toBe(0);
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect(terminal.told.endsWith(`${digest}  -\n`)).toBe(true);
  });

  it('is a shell that reads a pipe when no command is given', async () => {
    const terminal = new FakeTerminal();
    const { exitCode } = runCommand(world, ['ssh', instance], { terminal });
    terminal.stdin.end('echo "sum $((20 + 22))"\nexit 3\n');
    expect(await exitCode).toBe(3);
    expect(terminal.shown).toBe('sum 42\n');
  });

  it('has a terminal on a terminal, told with the verified host key, and leaves the local one as it was', async (context) => {
    requireTool(context, 'script');
    const terminal = new FakeTerminal(true);
    const { exitCode } = runCommand(world, ['ssh', instance, '--reason', 'look around'], { terminal });
    await expect.poll(() => terminal.told, soon).toMatch(/host key SHA256:/);
    expect(terminal.isRaw).toBe(true);
    terminal.stdin.write('tty; stty size\n');
    await expect.poll(() => terminal.shown, soon).toMatch(/\/dev\/pts\/\d+/);
    await expect.poll(() => terminal.shown, soon).toContain('30 100');
    terminal.stdin.write('exit 4\n');
    expect(await exitCode).toBe(4);
    expect(terminal.isLeftAlone).toBe(true);
  });

  it('is left by ~. at the beginning of a line', async (context) => {
    requireTool(context, 'script');
    const terminal = new FakeTerminal(true);
    const { exitCode } = runCommand(world, ['ssh', instance, '--tty', '--', 'sleep 600'], { terminal });
    await expect.poll(() => terminal.told, soon).toMatch(/host key/);
    terminal.stdin.write('\r~.');
    expect(await exitCode).toBe(255);
    expect(terminal.isLeftAlone).toBe(true);
  });

  it('is journalled, with who, why and how it ended', async () => {
    const { exitCode } = runCommand(world, ['ssh', instance, '--reason', 'disk full?', '--', 'exit 9']);
    await exitCode;
    await expect
      .poll(async () => (await journalOf('operator.shell.ended')).at(-1)?.data.exitCode, soon)
      .toBe(9);
    expect((await journalOf('operator.shell')).at(-1)).toMatchObject({
      instance,
      because: expect.stringMatching(/ by the command line: disk full\?$/) as string,
      data: { command: 'exit 9', terminal: false, from: '127.0.0.1' },
    });
  });

  it('holds the instance first when asked to', async () => {
    const { exitCode } = runCommand(world, ['ssh', instance, '--hold', '--', 'true']);
    expect(await exitCode).toBe(0);
    expect((await world.ask(`/v1/instances/${instance}`)).json.idleBehavior).toBe('hold');
    await world.ask(`/v1/instances/${instance}/run`, { body: {} });
  });

  it('says that there is no such instance, no daemon, or no right', async () => {
    const unknown = runCommand(world, ['ssh', 'i-none', '--', 'true']);
    expect([await unknown.exitCode, unknown.output.err]).toEqual([
      1,
      expect.stringContaining('instance not found'),
    ]);
    const wrong = runCommand(world, ['ssh', instance, '--', 'true'], { token: 'wrong' });
    expect([await wrong.exitCode, wrong.output.err]).toEqual([4, expect.stringContaining('refused')]);
    const nobody = { daemon: { ...world.daemon, url: 'http://127.0.0.1:9' } };
    expect(await runCommand(nobody, ['ssh', instance, '--', 'true']).exitCode).toBe(3);
  });

  it('is refused while too many are open, and had again when one has ended', async () => {
    const others = Array.from({ length: 3 }, () => {
      const terminal = new FakeTerminal();
      return runCommand(world, ['ssh', instance, '--', 'echo begun; cat'], { terminal });
    });
    for (const { terminal } of others) await expect.poll(() => terminal.shown, soon).toBe('begun\n');
    const late = runCommand(world, ['ssh', instance, '--', 'true']);
    expect([await late.exitCode, late.output.err + late.terminal.told]).toEqual([
      1,
      expect.stringContaining('3 shells are open: close one, or raise api.maxShells') as string,
    ]);
    others[0]!.terminal.stdin.end();
    expect(await others[0]!.exitCode).toBe(0);
    const again = () => runCommand(world, ['ssh', instance, '--', 'exit 5']).exitCode;
    await expect.poll(again, soon).toBe(5);
    for (const { terminal } of others.slice(1)) terminal.stdin.end();
    for (const { exitCode } of others) expect(await exitCode).toBe(0);
  });

  it('ends with 255 when the instance goes away', async () => {
    const doomed = await makeInstance();
    const { exitCode, terminal } = runCommand(world, ['ssh', doomed, '--', 'echo begun; sleep 600']);
    await expect.poll(() => terminal.shown, soon).toBe('begun\n');
    await world.ask(`/v1/instances/${doomed}/kill`, { body: {} });
    expect(await exitCode).toBe(255);
    expect(terminal.told).toContain('lost');
  });
});

describe('the way to a shell', () => {
  const open = (headers: Record<string, string>, first?: Uint8Array) =>
    new Promise<{ status?: number; kind?: string; text: string }>((resolve) => {
      const url = `${world.daemon.url.replace('http', 'ws')}/v1/instances/${instance}/shell`;
      const socket = new WebSocket(url, { headers });
      socket.on('error', () => {});
      socket.on('unexpected-response', (_request, response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, text: '' });
      });
      socket.on('open', () => first && socket.send(first));
      socket.on('message', (message: Buffer) => {
        const parsed = parseFrame(message);
        resolve({ ...(parsed && { kind: parsed.kind }), text: message.subarray(1).toString() });
        socket.close();
      });
    });
  const bearer = { authorization: `Bearer ${managementToken}` };

  it('is closed without the token, and to the cookie of a page (H-1)', async () => {
    expect((await open({})).status).toBe(401);
    expect((await open({ authorization: 'Bearer x' })).status).toBe(403);
    const login = await fetch(`${world.daemon.url}/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: managementToken }),
    });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(cookie).toContain('longshore_session=');
    expect((await open({ cookie, 'x-longshore-page': '1' })).status).toBe(403);
    expect((await fetch(`${world.daemon.url}/v1/fleet`, { headers: { cookie } })).status).toBe(200);
  });

  it.each([
    [Buffer.from('nonsense'), /request/],
    [jsonFrame('resize', {}), /request/],
    [jsonFrame('begin', { command: '' }), /command/],
    [jsonFrame('begin', { terminal: { name: 'a b', columns: 1, rows: 1 } }), /terminal.name/],
    [jsonFrame('begin', { terminal: { name: 'a', columns: -1, rows: 1 } }), /terminal.columns/],
  ])('refuses an invalid session request %#', async (first, message) => {
    const reply = await open(bearer, first);
    expect(reply).toMatchObject({ kind: 'refused', text: expect.stringMatching(message) as string });
  });
});
