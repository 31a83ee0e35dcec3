import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type constants } from 'node:os';
import type { SshCommandRequest } from '../../ssh/server.js';
import { singleQuote } from '../../domain/shell-quote.js';

const killGraceMs = 2_000;
/** All that commands see of the daemon's own environment, which holds secrets besides. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/** Of util-linux: gives a command a terminal. */
const terminalProgram = ['/usr/bin/script', '/bin/script'].find((path) => existsSync(path));

/** Whether sessions can have a terminal on this host. Its size stays as it was at the start. */
export const hasTerminals = terminalProgram !== undefined;

/** Runs the command as `sh -c` in a session of its own, as root would: a leading `sudo ` is dropped (D-6). */
export function runInShell(
  request: SshCommandRequest,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const command = request.command.startsWith('sudo ') ? request.command.slice(5) : request.command;
  return new Promise((resolve, reject) => {
    const [program, args] = programOf(command, request.terminal);
    const child = spawn(program, args, {
      env: {
        ...(request.terminal && { TERM: request.terminal.name }),
        ...inheritedEnv(),
        ...request.env,
        ...env,
      },
      detached: true,
      stdio: 'pipe',
    });
    // Before anything else: it is told in the next turn, and without a listener it ends the process.
    child.on('error', (error) => reject(new Error(`the command cannot be started: ${error.message}`)));
    // Where there are too few descriptors for its pipes, it has none.
    if (!hasPipes(child)) return;
    const end = (): void => {
      signalGroup(child.pid, 'SIGTERM');
      setTimeout(() => signalGroup(child.pid, 'SIGKILL'), killGraceMs).unref();
    };
    request.signal.addEventListener('abort', end, { once: true });
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
    request.stdin.pipe(child.stdin);
    child.stdout.pipe(request.stdout, { end: false });
    child.stderr.pipe(request.stderr, { end: false });
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

/** What a child is that was refused before its pipes were made, whatever its type says. */
function hasPipes({ stdin, stdout, stderr }: Partial<ChildProcessWithoutNullStreams>): boolean {
  return stdin !== undefined && stdout !== undefined && stderr !== undefined;
}

function programOf(
  command: string,
  terminal: SshCommandRequest['terminal'],
): [program: string, args: string[]] {
  const what = command === '' ? 'exec sh' : command;
  if (!terminal || terminalProgram === undefined) return ['sh', ['-c', what]];
  const sized = `stty rows ${terminal.rows} cols ${terminal.columns}; exec sh -c ${singleQuote(what)}`;
  return [terminalProgram, ['--quiet', '--flush', '--return', '--command', sized, '/dev/null']];
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
