import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { OpenCommand } from './command.js';
import { ExecutorError, type CommandStream } from './executor.js';

/** Much more than any line of the runner program; the end of it is dropped. */
const longestStderrBytes = 4_096;

/** What a command prints, as long as it runs. Its stderr goes into the error it ends with. */
export function streamLines(command: OpenCommand): CommandStream & { text: AsyncIterable<string> } {
  const { channel } = command;
  let stderr = '';
  let isClosed = false;
  let endReading = (): void => {};
  channel.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < longestStderrBytes) stderr += chunk.toString('utf8');
  });

  async function* lines(): AsyncGenerator<string> {
    if (isClosed) return;
    const reader = createInterface({ input: channel, crlfDelay: Infinity });
    endReading = () => reader.close();
    yield* reader;
    await end();
  }

  async function* text(): AsyncGenerator<string> {
    if (isClosed) return;
    const pieces = channel.pipe(new PassThrough({ encoding: 'utf8' }));
    endReading = () => pieces.destroy();
    // A connection that broke leaves the channel without an end.
    void command.closed.then(() => channel.readableLength === 0 && pieces.end());
    try {
      for await (const piece of pieces) yield piece as string;
    } catch (error) {
      if (!isClosed) throw error;
    } finally {
      pieces.destroy();
    }
    await end();
  }

  const end = async (): Promise<void> => {
    if (isClosed) return;
    await command.closed;
    const error = isClosed ? undefined : errorOf(command, stderr);
    if (error) throw error;
  };

  return {
    lines: lines(),
    text: text(),
    close() {
      isClosed = true;
      endReading();
      channel.close();
      channel.resume();
    },
  };
}

function errorOf({ ending: { exitCode, killedBy } }: OpenCommand, stderr: string): ExecutorError | undefined {
  if (exitCode === 0) return undefined;
  if (exitCode === undefined && killedBy === '')
    return new ExecutorError('closed', 'the connection ended before the command did');
  const message = `the command exited with status ${exitCode}: ${stderr.trim().slice(0, 300)}`;
  return new ExecutorError('exit', message, { exitCode, stderr });
}
