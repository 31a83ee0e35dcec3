import type { Client, ClientChannel, PseudoTtyOptions } from 'ssh2';
import { heed, type OpenCommand } from './command.js';
import type { RemoteSession, SessionOptions } from './executor.js';
import { fingerprintOf } from './host-key.js';
import { translateChannelError } from './translate-error.js';

/** Opens a channel with a shell or a command, on a terminal if one is given. Rejects as `openChannel` does. */
export function openSessionChannel(
  client: Client,
  { command, terminal }: Pick<SessionOptions, 'command' | 'terminal'>,
): Promise<OpenCommand> {
  const pty: PseudoTtyOptions | false = terminal
    ? { term: terminal.name, cols: terminal.columns, rows: terminal.rows }
    : false;
  return new Promise((resolve, reject) => {
    const opened = (error: Error | undefined, channel: ClientChannel): void => {
      if (error) reject(translateChannelError(error));
      else resolve(heed(channel));
    };
    try {
      if (command === undefined) client.shell(pty, opened);
      else client.exec(command, pty ? { pty } : {}, opened);
    } catch (error) {
      reject(translateChannelError(error));
    }
  });
}

/** The channel as a session. */
export function sessionOf({ channel, ending, closed }: OpenCommand, hostKey: Buffer): RemoteSession {
  return {
    hostKey: fingerprintOf(hostKey),
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    resize: (columns, rows) => void channel.setWindow(rows, columns, 0, 0),
    ended: closed.then(() => ({ ...ending })),
    close: () => {
      channel.close();
      // A stream that nobody reads never closes.
      channel.resume();
      channel.stderr.resume();
    },
  };
}
