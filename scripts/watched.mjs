// What a script starts ends with the script: at its end, at a signal, when the reader of its output is gone, and when it
// is killed with -9.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** @returns what is to end with this process, and its orderly end. Call it before anything is started. */
export function startWatchdog() {
  const program = fileURLToPath(new URL('watchdog.mjs', import.meta.url));
  // A session of its own: Ctrl-C and the end of the terminal are for the script.
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.unref();
  child.stdin.unref?.();
  child.stdin.on('error', () => {});
  const close = () => {
    child.ref();
    child.stdin.end();
    return ended;
  };
  const leave = (code) => void close().then(() => process.exit(code));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.once(signal, () => leave(128 + constants.signals[signal]));
  process.stdout.on('error', () => leave(1));
  process.stderr.on('error', () => leave(1));
  return {
    /** Its processes, and those that name it in their arguments or environment; it is removed. */
    folder: (path) => void child.stdin.write(`folder ${path}\n`),
    /** Nothing of that folder ends or is removed any more. */
    keep: (path) => void child.stdin.write(`keep ${path}\n`),
    /** Ended with SIGTERM, and with SIGKILL soon after. */
    process: ({ pid }) => void (pid !== undefined && child.stdin.write(`process ${pid}\n`)),
    /** Ends all of it; resolves when that is done. */
    close,
  };
}
