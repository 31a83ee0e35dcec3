import { closeSync, openSync } from 'node:fs';
import type { Logger } from 'pino';

/**
 * Answers SIGHUP, which would end the process otherwise. Where the terminal that the daemon was started on went away, it
 * calls `terminalGone`; a SIGHUP that somebody sends changes nothing, and is logged with how to apply a new configuration.
 */
export function answerHangUp(log: Logger, terminalGone: () => void): void {
  const isOnTerminal = process.stderr.isTTY && hasTerminal();
  process.on('SIGHUP', () => {
    if (isOnTerminal && !hasTerminal()) return terminalGone();
    log.warn(
      { signal: 'SIGHUP' },
      'SIGHUP ignored: reloading the configuration is not supported yet; restart the daemon to apply a new one',
    );
  });
}

/** False once the controlling terminal was closed, or where there never was one. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
