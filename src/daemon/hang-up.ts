import { closeSync, openSync } from 'node:fs';
import type { Logger } from 'pino';

/**
 * Handles SIGHUP, which would otherwise end the process. Calls `terminalGone` when the daemon's terminal was closed; any
 * other SIGHUP changes nothing and is logged with a hint on how to apply a new configuration.
 */
export function answerHangUp(log: Logger, terminalGone: () => void): void {
  const isOnTerminal = process.stderr.isTTY && hasTerminal();
  process.on('SIGHUP', () => {
    if (isOnTerminal && !hasTerminal()) return terminalGone();
    log.warn(
      { signal: 'SIGHUP' },
      'SIGHUP ignored: reloading the configuration is not supported yet; restart the daemon to apply a change',
    );
  });
}

/** False once the controlling terminal was closed, or if there was none. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
