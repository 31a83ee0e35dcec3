import { spawn } from 'node:child_process';
import { type constants } from 'node:os';
import type { SshCommandRequest } from '../../ssh/server.js';

const killGraceMs = 2_000;
/** All that commands see of the daemon's own environment, which holds secrets besides. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/** Runs the command as `sh -c` in a session of its own, as root would: a leading `sudo ` is dropped (D-6). */
export function runInShell(
  request: SshCommandRequest,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const command = request.command.startsWith('sudo ') ? request.command.slice(5) : request.command;
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', command], {
      env: { ...inheritedEnv(), ...request.env, ...env },
      detached: true,
      stdio: 'pipe',
    });
    const end = (): void => {
      signalGroup(child.pid, 'SIGTERM');
      setTimeout(() => signalGroup(child.pid, 'SIGKILL'), killGraceMs).unref();
    };
    request.signal.addEventListener('abort', end, { once: true });
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
    request.stdin.pipe(child.stdin);
    child.stdout.pipe(request.stdout, { end: false });
    child.stderr.pipe(request.stderr, { end: false });
    child.on('error', () => resolve(1));
    // The exit, not the end of its output: what it left in the background may keep that open for long.
    child.on('exit', (code) => {
      request.signal.removeEventListener('abort', end);
      const settle = (): void => resolve(code ?? 1);
      const rest = setTimeout(settle, 200);
      child.on('close', () => {
        clearTimeout(rest);
        settle();
      });
    });
  });
}

function inheritedEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(inherited.map((name) => [name, process.env[name]]));
}

function signalGroup(pid: number | undefined, signal: keyof typeof constants.signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it ended.
  }
}
