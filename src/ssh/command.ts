import type { Client, ClientChannel } from 'ssh2';
import { ExecutorError, type CommandResult } from './executor.js';
import { FrameReader } from './frame-reader.js';
import { OutputBuffer } from './output-buffer.js';
import { translateChannelError } from './translate-error.js';

export interface CommandInput {
  /** Of the frame that the command was sent in. */
  marker: string;
  stdin?: string | Uint8Array | undefined;
  maxOutputBytes: number;
  permit?: (() => void) | undefined;
}

/** A channel and how its command ended, heard from its first moment on: all may arrive in one packet. */
export interface OpenCommand {
  channel: ClientChannel;
  ending: { exitCode: number | undefined; killedBy: string };
  closed: Promise<void>;
}

/** More noise than any start-up file makes. */
export const maxNoiseBytes = 1024 * 1024;
/** A program in the background may hold a channel open after its command ended. */
const graceMs = 500;

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

/**
 * Feeds the command once its frame began, so that no start-up file of the shell reads the input, and gathers what it
 * prints until it ended. Only a framed exit status of 0 resolves.
 */
export function finishCommand(
  open: OpenCommand,
  input: CommandInput,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { channel, ending, closed } = open;
  return new Promise((resolve, reject) => {
    const stdout = new FramedOutput(input);
    const stderr = new FramedOutput(input);
    let grace: NodeJS.Timeout | undefined;
    const stop = (error: ExecutorError): void => {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(grace);
      channel.close();
      reject(error);
    };
    const onAbort = (): void => stop(abortError(signal, true));
    const gather = (output: FramedOutput) => (chunk: Buffer) => {
      const hadBegun = stdout.frame.hasBegun;
      const fault = output.add(chunk);
      if (fault) return stop(fault);
      if (!hadBegun && stdout.frame.hasBegun && input.stdin !== undefined) feed();
      if (stdout.frame.status !== undefined && stderr.frame.status !== undefined) {
        grace ??= setTimeout(() => channel.close(), graceMs);
      }
    };
    const feed = (): void => {
      try {
        input.permit?.();
      } catch (error) {
        return stop(new ExecutorError('aborted', (error as Error).message, { cause: error }));
      }
      channel.end(input.stdin);
    };
    channel.on('data', gather(stdout));
    channel.stderr.on('data', gather(stderr));
    void closed.then(() => {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(grace);
      if (stdout.frame.status === 0) resolve(resultOf(stdout, stderr));
      else reject(failureOf(ending, stdout, stderr));
    });
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (input.stdin === undefined) channel.end();
  });
}

function resultOf(stdout: FramedOutput, stderr: FramedOutput): CommandResult {
  const { bootId } = stdout.frame;
  return { stdout: stdout.text(), stderr: stderr.text(), ...(bootId !== undefined && { bootId }) };
}

function failureOf(ending: OpenCommand['ending'], stdout: FramedOutput, stderr: FramedOutput): ExecutorError {
  const { frame } = stdout;
  if (!frame.hasBegun) return unframedError(ending, frame.noise, stderr.frame.noise);
  const result = resultOf(stdout, stderr);
  if (frame.status === undefined) return unknownOutcome(ending, result);
  return exitError(frame.status, result);
}

/** The command ended with another status than 0. */
export function exitError(exitCode: number, result: CommandResult): ExecutorError {
  const text = `the command exited with status ${exitCode}`;
  const said = result.stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return new ExecutorError('exit', said === '' ? text : `${text}: ${said}`, { ...result, exitCode });
}

/** The frame began and did not end. */
export function unknownOutcome(
  { exitCode, killedBy }: OpenCommand['ending'],
  result: CommandResult,
): ExecutorError {
  const why = hasEnded({ exitCode, killedBy })
    ? `its shell ${endingText({ exitCode, killedBy })}`
    : 'the connection ended before the command did';
  return new ExecutorError('closed', `${why}: its outcome is unknown`, result);
}

/** The frame did not begin: the host did something else, and what it printed tells what. */
export function unframedError(ending: OpenCommand['ending'], stdout: string, stderr: string): ExecutorError {
  const printed = [stdout, stderr]
    .filter((text) => text !== '')
    .join(' | ')
    .slice(0, 600);
  const quoted = printed === '' ? 'it printed nothing' : `it printed: ${printed}`;
  if (!hasEnded(ending)) {
    const message = `the connection ended before the command began; ${quoted}`;
    return new ExecutorError('closed', message, { stdout, stderr });
  }
  const message =
    `the host did not run the command and ${endingText(ending)}; ${quoted}. ` +
    'A forced command of the key, or a login shell that ends by itself, answers in its place';
  return new ExecutorError('no-shell', message, {
    stdout,
    stderr,
    ...(ending.exitCode !== undefined && { exitCode: ending.exitCode }),
  });
}

function hasEnded({ exitCode, killedBy }: OpenCommand['ending']): boolean {
  return exitCode !== undefined || killedBy !== '';
}

function endingText({ exitCode, killedBy }: OpenCommand['ending']): string {
  return exitCode === undefined ? `was ended by signal ${killedBy}` : `ended with status ${exitCode}`;
}

/** The reason of the signal when it is an {@link ExecutorError}, else `aborted`. */
export function abortError(signal: AbortSignal, sent: boolean): ExecutorError {
  const reason: unknown = signal.reason;
  if (reason instanceof ExecutorError)
    return new ExecutorError(reason.code, reason.message, { cause: reason.cause, sent });
  return new ExecutorError('aborted', 'the command was given up', { cause: reason, sent });
}

/** One output stream of a command, in its frame. */
class FramedOutput {
  readonly frame: FrameReader;
  readonly #buffer: OutputBuffer;
  readonly #limit: number;

  constructor({ marker, maxOutputBytes }: CommandInput) {
    this.frame = new FrameReader(marker);
    this.#buffer = new OutputBuffer(maxOutputBytes);
    this.#limit = maxOutputBytes;
  }

  /** What is wrong with it: too much. */
  add(chunk: Buffer): ExecutorError | undefined {
    const isWithin = this.#buffer.add(this.frame.push(chunk));
    if (!isWithin)
      return new ExecutorError('too-much-output', `the command printed more than ${this.#limit} bytes`);
    if (this.frame.noiseBytes <= maxNoiseBytes) return undefined;
    const message = `the host printed more than ${maxNoiseBytes} bytes before the command began: ${this.frame.noise.slice(0, 300)}`;
    return new ExecutorError('too-much-output', message);
  }

  text(): string {
    return this.#buffer.text() + this.frame.rest().toString('utf8');
  }
}
