import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { visibleText } from '../../src/domain/visible-text.js';
import { runCommand } from '../support/command-line.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { requireTool } from '../support/tools.js';

const evil = '\u001b]0;owned\u0007\u009b31m\u202e\u001b[2J\rover';
// eslint-disable-next-line no-control-regex -- it is about them
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
/** Of this program: bold heads of tables, and colours of a replay. */
// eslint-disable-next-line no-control-regex -- it is about them
const ownStyle = /\u001b\[\d{1,2}m/g;

const container = {
  uuid: `c${evil}`,
  name: evil,
  state: 'Complete',
  priority: '1',
  instance: evil,
  instanceType: evil,
  exitCode: 1,
  error: evil,
  wait: null,
};
const instance = {
  instance: `i${evil}`,
  address: evil,
  type: evil,
  providerType: evil,
  state: 'idle',
  bootStage: null,
  idleBehavior: 'run',
  price: 1,
  containers: [evil],
  appearedAt: '2026-01-01T00:00:00Z',
  quarantine: { since: '2026-01-01T00:00:00Z', because: evil },
};
const step = {
  at: 1,
  event: { type: evil, [evil]: evil },
  matches: false,
  skipped: 0,
  moves: [{ region: evil, from: evil, to: `${evil}2` }],
  guards: { [evil]: true },
  actions: [evil],
  before: [evil],
  after: [evil],
  differences: [{ what: evil, recorded: evil, replayed: evil }],
};
const replies: Record<string, unknown> = {
  '/v1/containers': { items: [container], next: null },
  '/v1/instances': { items: [instance] },
  '/v1/breakers': { items: [{ key: evil, state: evil, because: evil, until: null }] },
  '/v1/sessions': { items: [{ id: evil, address: evil, openedAt: evil, expiresAt: evil }] },
  '/v1/explain/x': { lines: [evil], story: [evil] },
  '/v1/replay/x': { instance: evil, steps: [step] },
  '/v1/containers/x': container,
  '/v1/containers/x/logs': `printed ${evil}\nnext`,
  // JSON leaves these as they are.
  '/v1/journal/export': `{"because":"\u009b31m\u202e\u007f"}\n`,
};
const commands = [
  ['queue'],
  ['queue', '--json'],
  ['instances'],
  ['instances', '--json'],
  ['instance', 'list'],
  ['quarantine'],
  ['breakers'],
  ['sessions'],
  ['explain', 'x'],
  ['replay', 'x'],
  ['replay', 'x', '--all'],
  ['wait', 'x'],
  ['logs', 'x', '--stream', 'stdout'],
  ['journal', 'export'],
  ['cancel', 'missing'],
  ['logs', evil],
];

describe('foreign text on a terminal', { timeout: 60_000 }, () => {
  let daemon: { url: string };
  let server: Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url!.split('?')[0]!;
      const reply = replies[path] ?? { errors: [`${evil} not found`] };
      response.writeHead(path in replies ? 200 : 404, { 'content-type': 'application/json' });
      response.end(typeof reply === 'string' ? reply : JSON.stringify(reply));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    daemon = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const run = async (argv: string[], isInteractive: boolean): Promise<{ out: string; err: string }> => {
    const terminal = new FakeTerminal(isInteractive);
    const { output, exitCode } = runCommand({ daemon }, argv, { terminal });
    await exitCode;
    return output;
  };

  it.each(commands.map((argv) => ({ argv, name: argv.map(visibleText).join(' ') })))(
    'does not steer it: $name',
    async ({ argv }) => {
      const { out, err } = await run(argv, true);
      expect(`${out}${err}`.trim()).not.toBe('');
      expect(out.replace(ownStyle, '')).not.toMatch(steering);
      expect(err.replace(ownStyle, '')).not.toMatch(steering);
    },
  );

  it('is written out, so that JSON stays JSON', async () => {
    const { out } = await run(['journal', 'export'], true);
    expect(JSON.parse(out)).toEqual({ because: '\u009b31m\u202e\u007f' });
    expect(visibleText('a\u001b[1m\tb\r\nc\u009b')).toBe('a\\u001b[1m\tb\r\nc\\u009b');
  });

  it('is as it is for a program, and with --raw', async () => {
    const printed = `printed ${evil}\nnext`;
    expect((await run(['logs', 'x', '--stream', 'stdout'], false)).out).toBe(printed);
    expect((await run(['logs', 'x', '--stream', 'stdout', '--raw'], true)).out).toBe(printed);
  });

  it('does not steer the terminal that shows the log, in no field, stack or child', async (context) => {
    const script = requireTool(context, 'script');
    const source = `import { createLog } from './src/observability/log.ts';
      const evil = ${JSON.stringify(evil)};
      const log = createLog('info').child({ instanceId: evil });
      log.error({ err: new Error(evil), nested: { [evil]: [evil] } }, evil);
      log.flush();`;
    const command = `${process.execPath} --import tsx --input-type=module -e '${source.replaceAll("'", "'\\''")}'`;
    const { stdout } = await promisify(execFile)(script, ['-qec', command, '/dev/null'], {
      cwd: `${import.meta.dirname}/../..`,
    });
    expect(stdout).toContain('\\u001b]0;owned');
    expect(stdout.replace(ownStyle, '').replaceAll('\r\n', '\n')).not.toMatch(steering);
  });
});
