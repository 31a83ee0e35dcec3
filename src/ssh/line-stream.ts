import { createInterface } from 'node:readline';
import type { OpenCommand } from './command.js';
import { ExecutorError, type CommandStream } from './executor.js';

/** Much more than any line of the runner program; the end of it is dropped. */
const longestStderrBytes = 4_096;

/** The lines a command prints, as long as it runs. Its stderr goes into the error it ends with. */
export function streamLines({ channel, ending, closed }: OpenCommand): CommandStream {
  let stderr = '';
  let isClosed = false;
  channel.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < longestStderrBytes) stderr += chunk.toString('utf8');
  });
  const reader = createInterface({ input: channel, crlfDelay: Infinity });

  async function* lines(): AsyncGenerator<string> {
    yield* reader;
    await closed;
    const { exitCode } = ending;
    if (isClosed || exitCode === 0) return;
    if (exitCode === undefined && ending.killedBy === '')
      throw new ExecutorError('closed', 'the connection ended before the command did');
    throw new ExecutorError(
      'exit',
      `the command exited with status ${exitCode}: ${stderr.trim().slice(0, 300)}`,
      {
        exitCode,
        stderr,
      },
    );
  }

  return {
    lines: lines(),
    close() {
      isClosed = true;
      reader.close();
      channel.close();
      channel.resume();
    },
  };
}
