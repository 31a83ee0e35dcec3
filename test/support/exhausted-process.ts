import { closeSync, openSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/domain/clock.js';
import { Program } from '../../src/drivers/exec/program.js';
import { runInShell } from '../../src/drivers/loopback/shell.js';
import { startViewerServer } from '../../src/inspector/viewer-server.js';
import { notifyServiceManager } from '../../src/daemon/systemd-notify.js';
import { connect } from '../../src/ssh/connect.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { startSshServer } from '../../src/ssh/server.js';

// A process of its own that has no descriptor left, and tells as JSON what becomes of each effect that needs one.

const { signal } = new AbortController();
const key = generateKeyPair();
const program = (): Program =>
  new Program({ command: ['cat'], env: process.env, folder: '/', clock: systemClock, onComplaint: () => {} });

const effects: Record<string, () => Promise<unknown>> = {
  shell: () => {
    const stream = (): PassThrough => new PassThrough();
    const streams = { stdin: stream(), stdout: stream(), stderr: stream() };
    return runInShell({ command: 'true', env: {}, user: 'root', signal, ...streams }, {});
  },
  program: () => program().request('hello', {}),
  'stop of a program': () => program().stop(),
  'service manager': () => notifyServiceManager('ready', 'x', { ...process.env, NOTIFY_SOCKET: '/none' }),
  ssh: () =>
    connect({
      host: '127.0.0.1',
      port: 1,
      username: 'root',
      privateKey: key.privateKey,
      timeoutMs: 5_000,
      keepaliveIntervalMs: 1_000,
      clock: systemClock,
      signal,
      onLost: () => {},
    }),
  'ssh server': () =>
    startSshServer({
      host: '127.0.0.1',
      port: 0,
      hostKey: key.privateKey,
      authorizedKeys: [],
      run: () => Promise.resolve(0),
    }),
  viewer: () => startViewerServer({ port: 0, joined: () => {}, warn: () => {} }),
};

const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // None is left.
}
const outcomes: Record<string, string> = {};
for (const [name, effect] of Object.entries(effects)) {
  outcomes[name] = await effect().then(
    (value) => `resolved ${String(value)}`,
    (error: Error & { code?: string }) => `rejected ${error.code ?? ''} ${error.message}`,
  );
}
// What nobody listens for comes in a later turn.
await setTimeout(500);
for (const descriptor of held) closeSync(descriptor);
process.stdout.write(JSON.stringify(outcomes));
process.exit(0);
