import type { Client, ClientChannel } from 'ssh2';
import { ExecutorError, type CommandResult } from './executor.js';
import { translateChannelError } from './translate-error.js';

export interface CommandInput {
  stdin?: string | Uint8Array;
  env?: Readonly<Record<string, string>>;
  maxOutputBytes: number;
  permit?: (() => void) | undefined;
  /** Called right before the input goes: a command that waits for its input had no effect before. */
  sending?: (() => void) | undefined;
}

/** A channel and how its command ended, heard from its first moment on: all may arrive in one packet. */
export interface OpenCommand {
  channel: ClientChannel;
  ending: { exitCode: number | undefined; killedBy: string };
  closed: Promise<void>;
}

/** Opens a channel and sends the command. Rejects, having sent nothing, with `session-limit` or `closed`. */
export function openChannel(
  client: Client,
  command: string,
  env: Readonly<Record<string, string>> | undefined,
): Promise<OpenCommand> {
  return new Promise((resolve, reject) => {
    try {
      client.exec(command, env ? { env } : {}, (error, channel) => {
        if (error) reject(translateChannelError(error));
        else resolve(heed(channel));
      });
    } catch (error) {
      reject(translateChannelError(error));
    }
  });
}

/** To be called before anything else can arrive. */
export function heed(channel: ClientChannel): OpenCommand {
  const ending: OpenCommand['ending'] = { exitCode: undefined, killedBy: '' };
  channel.on('error', () => {});
  channel.stderr.on('error', () => {});
  channel.on('exit', (code: number | null, signalName?: string) => {
    ending.exitCode = code ?? undefined;
    ending.killedBy = signalName ?? '';
  });
  return { channel, ending, closed: new Promise((resolve) => channel.on('close', () => resolve())) };
}

/** Feeds the command and gathers what it says until it ended. Only an exit status of 0 resolves. */
export function finishCommand(
  { channel, ending, closed }: OpenCommand,
  input: CommandInput,
  signal: AbortSignal,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const stdout = new OutputBuffer(input.maxOutputBytes);
    const stderr = new OutputBuffer(input.maxOutputBytes);
    const stop = (error: ExecutorError): void => {
      signal.removeEventListener('abort', onAbort);
      channel.close();
      reject(error);
    };
    const onAbort = (): void => stop(abortError(signal));
    const gather = (buffer: OutputBuffer) => (chunk: Buffer) => {
      if (!buffer.add(chunk)) {
        stop(
          new ExecutorError('too-much-output', `the command printed more than ${input.maxOutputBytes} bytes`),
        );
      }
    };
    channel.on('data', gather(stdout));
    channel.stderr.on('data', gather(stderr));
    void closed.then(() => {
      signal.removeEventListener('abort', onAbort);
      const result = { stdout: stdout.text(), stderr: stderr.text() };
      if (ending.exitCode === 0) return resolve(result);
      reject(failureOf(ending.exitCode, ending.killedBy, result));
    });
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      input.permit?.();
    } catch (error) {
      return stop(new ExecutorError('aborted', (error as Error).message, { cause: error }));
    }
    input.sending?.();
    channel.end(input.stdin);
  });
}

function failureOf(exitCode: number | undefined, killedBy: string, result: CommandResult): ExecutorError {
  if (exitCode === undefined && killedBy === '') {
    return new ExecutorError(
      'closed',
      'the connection ended before the command did: its outcome is unknown',
      result,
    );
  }
  const text = exitCode === undefined ? `was ended by signal ${killedBy}` : `exited with status ${exitCode}`;
  const said = result.stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  const message = said === '' ? `the command ${text}` : `the command ${text}: ${said}`;
  return new ExecutorError('exit', message, { ...result, exitCode: exitCode ?? 255 });
}

/** The reason of the signal when it is an {@link ExecutorError}, else `aborted`. */
export function abortError(signal: AbortSignal): ExecutorError {
  if (signal.reason instanceof ExecutorError) return signal.reason;
  return new ExecutorError('aborted', 'the command was given up', { cause: signal.reason });
}

class OutputBuffer {
  readonly #chunks: Buffer[] = [];
  readonly #limit: number;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when the limit is passed; the chunk is dropped then. */
  add(chunk: Buffer): boolean {
    this.#size += chunk.length;
    if (this.#size > this.#limit) return false;
    this.#chunks.push(chunk);
    return true;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
