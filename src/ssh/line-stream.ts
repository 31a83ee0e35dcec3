import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { TokenBucket } from './token-bucket.js';
import { exitError, maxNoiseBytes, unframedError, unknownOutcome, type OpenCommand } from './command.js';
import { ExecutorError, type CommandStream, type StreamLimits } from './executor.js';
import { FrameReader } from './frame-reader.js';
import { LineSplitter, type SplitLine } from './line-splitter.js';

/** Much more than any line of the runner program; the end of it is dropped. */
const longestStderrBytes = 4_096;
/** A longer line is cut, unless the stream has limits of its own. */
const longestLine = 65_536;
/** Whatever a line causes is done before the next one is given: lines that came at once share a turn for so long. */
const turnMs = 10;

export interface FramedStream extends CommandStream {
  readonly text: AsyncIterable<string>;
  /** With an error: whoever reads gets that. */
  close(error?: ExecutorError): void;
}

export interface StreamBounds {
  limits: StreamLimits;
  /** Ms. */
  now: () => number;
}

/**
 * What a command prints, as long as it runs. Its stderr goes into the error it ends with. What breaks its bounds ends it
 * with `too-much-output`.
 */
export function streamLines(command: OpenCommand, marker: string, bounds?: StreamBounds): FramedStream {
  const { channel } = command;
  const stdout = new FrameReader(marker);
  const stderr = new FrameReader(marker);
  let errorText = '';
  let isClosed = false;
  let closedBy: ExecutorError | undefined;
  let endReading = (): void => {};
  const rate = bounds && rateOf(bounds);
  const close = (error?: ExecutorError): void => {
    if (isClosed) return;
    isClosed = true;
    closedBy = error;
    endReading();
    channel.close();
    channel.resume();
  };
  const judge = (chunk: Buffer): void => {
    if (rate && !rate.take(chunk.length)) close(tooMuch('rate', tooFast(bounds)));
    else if (stdout.noiseBytes > maxNoiseBytes)
      close(tooMuch('output', `the host printed more than ${maxNoiseBytes} bytes before the command began`));
  };
  channel.stderr.on('data', (chunk: Buffer) => {
    const piece = stderr.push(chunk);
    if (errorText.length < longestStderrBytes) errorText += piece.toString('utf8', 0, longestStderrBytes);
    judge(chunk);
  });

  const failIfClosedBy = (): void => {
    if (closedBy) throw closedBy;
  };

  async function* content(): AsyncGenerator<Buffer> {
    failIfClosedBy();
    if (isClosed) return;
    const pieces = channel.pipe(new Unframing(stdout, judge));
    // A channel whose rest nobody reads never closes.
    endReading = () => {
      channel.unpipe(pieces);
      pieces.destroy();
      channel.resume();
    };
    // A connection that broke leaves the channel without an end.
    void command.closed.then(() => channel.readableLength === 0 && pieces.end());
    try {
      for await (const piece of pieces) yield piece as Buffer;
    } catch (error) {
      if (!isClosed) throw error;
    } finally {
      endReading();
    }
    if (!isClosed) await command.closed;
    failIfClosedBy();
    const error = isClosed ? undefined : errorOf(command, stdout, { stderr, errorText });
    if (error) throw error;
  }

  return { lines: linesOf(content(), bounds, close), text: textOf(content()), close };
}

function rateOf({ limits, now }: StreamBounds): TokenBucket {
  return new TokenBucket({ perSecond: limits.bytesPerSecond, burst: limits.burstBytes, now });
}

function tooFast({ limits }: StreamBounds): string {
  return `the instance sent more than ${limits.bytesPerSecond} bytes a second, and ${limits.burstBytes} at once`;
}

function tooMuch(breach: ExecutorError['breach'], message: string): ExecutorError {
  return new ExecutorError('too-much-output', message, { ...(breach && { breach }) });
}

async function* textOf(content: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  for await (const piece of content) yield decoder.write(piece);
}

async function* linesOf(
  content: AsyncIterable<Buffer>,
  bounds: StreamBounds | undefined,
  close: (error: ExecutorError) => void,
): AsyncGenerator<string> {
  const limit = bounds?.limits.lineBytes ?? longestLine;
  const splitter = new LineSplitter(limit);
  const checked = ({ line, isCut }: SplitLine): string => {
    if (isCut && bounds) throw lineError(limit);
    return line.toString('utf8');
  };
  let failure: Error | undefined;
  try {
    for await (const piece of content) {
      let beganAt = performance.now();
      for (const line of splitter.push(piece)) {
        if (performance.now() - beganAt > turnMs) {
          await eventLoopTurn();
          beganAt = performance.now();
        }
        yield checked(line);
      }
      if (bounds && splitter.isTooLong) throw lineError(limit);
    }
  } catch (error) {
    failure = error as Error;
    if (failure instanceof ExecutorError && failure.breach === 'line') close(failure);
  }
  const rest = failure instanceof ExecutorError && failure.breach ? undefined : splitter.rest();
  if (rest) yield checked(rest);
  if (failure) throw failure;
}

function lineError(limit: number): ExecutorError {
  return tooMuch('line', `the instance sent a line of more than ${limit} bytes`);
}

/** Passes on what lies within the frame. */
class Unframing extends Transform {
  readonly #frame: FrameReader;
  readonly #judge: (chunk: Buffer) => void;

  constructor(frame: FrameReader, judge: (chunk: Buffer) => void) {
    super();
    this.#frame = frame;
    this.#judge = judge;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const content = this.#frame.push(chunk);
    done(null, content.length > 0 ? content : undefined);
    this.#judge(chunk);
  }

  override _flush(done: TransformCallback): void {
    const content = this.#frame.rest();
    done(null, content.length > 0 ? content : undefined);
  }
}

function errorOf(
  { ending }: OpenCommand,
  stdout: FrameReader,
  { stderr, errorText }: { stderr: FrameReader; errorText: string },
): ExecutorError | undefined {
  if (stdout.status === 0) return undefined;
  if (!stdout.hasBegun) return unframedError(ending, stdout.noise, stderr.noise);
  const result = { stdout: '', stderr: errorText };
  return stdout.status === undefined ? unknownOutcome(ending, result) : exitError(stdout.status, result);
}
