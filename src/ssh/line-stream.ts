import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { exitError, unframedError, unknownOutcome, type OpenCommand } from './command.js';
import type { CommandStream, ExecutorError } from './executor.js';
import { FrameReader } from './frame-reader.js';

/** Much more than any line of the runner program; the end of it is dropped. */
const longestStderrBytes = 4_096;
/** A longer line is cut. */
const longestLine = 65_536;

export interface FramedStream extends CommandStream {
  readonly text: AsyncIterable<string>;
  /** With an error: whoever reads gets that. */
  close(error?: ExecutorError): void;
}

/** What a command prints, as long as it runs. Its stderr goes into the error it ends with. */
export function streamLines(command: OpenCommand, marker: string): FramedStream {
  const { channel } = command;
  const stdout = new FrameReader(marker);
  const stderr = new FrameReader(marker);
  let errorText = '';
  let isClosed = false;
  let closedBy: ExecutorError | undefined;
  let endReading = (): void => {};
  channel.stderr.on('data', (chunk: Buffer) => {
    const piece = stderr.push(chunk);
    if (errorText.length < longestStderrBytes) errorText += piece.toString('utf8');
  });

  const failIfClosedBy = (): void => {
    if (closedBy) throw closedBy;
  };

  async function* text(): AsyncGenerator<string> {
    failIfClosedBy();
    if (isClosed) return;
    const pieces = channel.pipe(new Unframing(stdout));
    // A channel whose rest nobody reads never closes.
    endReading = () => {
      channel.unpipe(pieces);
      pieces.destroy();
      channel.resume();
    };
    // A connection that broke leaves the channel without an end.
    void command.closed.then(() => channel.readableLength === 0 && pieces.end());
    const decoder = new StringDecoder('utf8');
    try {
      for await (const piece of pieces) yield decoder.write(piece as Buffer);
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

  return {
    lines: linesOf(text()),
    text: text(),
    close(error) {
      if (isClosed) return;
      isClosed = true;
      closedBy = error;
      endReading();
      channel.close();
      channel.resume();
    },
  };
}

async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  let failure: Error | undefined;
  try {
    for await (const piece of text) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!.slice(0, longestLine);
      for (const line of lines) yield line.slice(0, longestLine).replace(/\r$/, '');
    }
  } catch (error) {
    failure = error as Error;
  }
  if (rest !== '') yield rest;
  if (failure) throw failure;
}

/** Passes on what lies within the frame. */
class Unframing extends Transform {
  readonly #frame: FrameReader;

  constructor(frame: FrameReader) {
    super();
    this.#frame = frame;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const content = this.#frame.push(chunk);
    done(null, content.length > 0 ? content : undefined);
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
