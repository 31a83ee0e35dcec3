/** So much of what came before the frame is kept, to be quoted. */
const keptNoiseBytes = 4_096;
/** The end of the line: a status of up to three digits and a newline. */
const longestEnding = ' end 255\n'.length;
/** The line that begins the frame, with the boot of the host, is shorter. */
const longestBeginBytes = 1_024;
const bootIdForm = /^ ([0-9a-f-]{36})$/;
const nothing = Buffer.alloc(0);

/** Takes the output of a command out of its frame, piece by piece. Holds back no more than the length of a marker. */
export class FrameReader {
  readonly #marker: string;
  readonly #begin: Buffer;
  readonly #endPattern: RegExp;
  #held: Buffer = nothing;
  #noise: Buffer = nothing;
  #state: 'before' | 'inside' | 'after' = 'before';
  #status: number | undefined;
  #bootId: string | undefined;
  /** Bytes that came before the frame. */
  noiseBytes = 0;

  constructor(marker: string) {
    this.#marker = marker;
    this.#begin = Buffer.from(`${marker} begin`);
    this.#endPattern = /^ end (\d{1,3})\n/;
  }

  get hasBegun(): boolean {
    return this.#state !== 'before';
  }

  /** The exit status, once the end of the frame was read. */
  get status(): number | undefined {
    return this.#status;
  }

  /** Of the host, where it has one. */
  get bootId(): string | undefined {
    return this.#bootId;
  }

  /** What the host printed before the frame, without control characters: its beginning. */
  get noise(): string {
    return clean(Buffer.concat([this.#noise, this.hasBegun ? nothing : this.#held]).toString('utf8'));
  }

  /** Returns what of the chunk lies within the frame. */
  push(chunk: Buffer): Buffer {
    let data = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = nothing;
    if (this.#state === 'before') {
      const at = data.indexOf(this.#begin);
      if (at < 0) {
        const rest = partialAt(data, this.#begin.toString());
        this.#keepNoise(data.subarray(0, rest));
        this.#held = data.subarray(rest);
        return nothing;
      }
      const lineEnd = data.indexOf('\n', at);
      if (lineEnd < 0 && data.length - at > longestBeginBytes) {
        this.#keepNoise(data);
        return nothing;
      }
      if (lineEnd < 0) {
        this.#keepNoise(data.subarray(0, at));
        this.#held = data.subarray(at);
        return nothing;
      }
      this.#keepNoise(data.subarray(0, at));
      this.#state = 'inside';
      this.#bootId = bootIdForm.exec(data.toString('latin1', at + this.#begin.length, lineEnd))?.[1];
      data = data.subarray(lineEnd + 1);
    }
    return this.#state === 'inside' ? this.#inside(data) : nothing;
  }

  /** What was held back, when no more will come. */
  rest(): Buffer {
    const held = this.#state === 'inside' ? this.#held : nothing;
    this.#held = nothing;
    return held;
  }

  #inside(data: Buffer): Buffer {
    for (let from = 0; ;) {
      const at = data.indexOf(this.#marker, from);
      if (at < 0) {
        const rest = partialAt(data, this.#marker);
        this.#held = data.subarray(rest);
        return data.subarray(0, rest);
      }
      const after = data.subarray(at + this.#marker.length, at + this.#marker.length + longestEnding);
      const ending = this.#endPattern.exec(after.toString('latin1'));
      if (ending) {
        this.#status = Number(ending[1]);
        this.#state = 'after';
        return data.subarray(0, at);
      }
      if (after.length < longestEnding && !after.includes('\n')) {
        this.#held = data.subarray(at);
        return data.subarray(0, at);
      }
      from = at + this.#marker.length;
    }
  }

  #keepNoise(piece: Buffer): void {
    this.noiseBytes += piece.length;
    const room = keptNoiseBytes - this.#noise.length;
    if (room > 0 && piece.length > 0) this.#noise = Buffer.concat([this.#noise, piece.subarray(0, room)]);
  }
}

/** Where the end of the data may be the beginning of the text; the length of the data when it is not. */
function partialAt(data: Buffer, text: string): number {
  const from = Math.max(0, data.length - text.length + 1);
  for (let at = data.indexOf(text[0]!, from); at >= 0; at = data.indexOf(text[0]!, at + 1)) {
    if (text.startsWith(data.toString('latin1', at))) return at;
  }
  return data.length;
}

function clean(text: string): string {
  // eslint-disable-next-line no-control-regex -- what terminals act on is to be taken out
  return text.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g, '').trim();
}
