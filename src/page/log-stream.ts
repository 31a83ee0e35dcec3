import { LoggedOut, part } from './api.js';
import { plainText } from './format.js';

/** Maximum number of lines held: more than a reader needs, and small enough for a browser. */
const longestLines = 20_000;
const longestLineChars = 4_000;

const retryMs = 2_000;

class Refused extends Error {
  /** A retry would not help. */
  readonly isFinal: boolean;
  constructor(status: number, text: string) {
    super(`The log is not available: ${status} ${text}`);
    this.isFinal = status < 500;
  }
}

export interface LogLine {
  number: number;
  text: string;
}

/** Follows the output of a container and keeps its last lines. Redraws at most once per frame. */
export class LogStream {
  lines: LogLine[] = [];
  /** Number of discarded lines. */
  skipped = 0;
  isOver = false;
  error: unknown;
  readonly #abort = new AbortController();
  readonly #changed: () => void;
  #count = 0;
  #rest = '';
  #frame = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Reads until the container's output ends. After a lost connection it starts again, like the daemon. */
  async follow(uuid: string, stream: string): Promise<void> {
    const { signal } = this.#abort;
    for (;;) {
      try {
        await this.#read(uuid, stream);
        this.error = undefined;
        break;
      } catch (error) {
        if (signal.aborted) break;
        this.error = error;
        if (error instanceof LoggedOut || (error instanceof Refused && error.isFinal)) break;
        this.#notify();
        await new Promise((resolve) => setTimeout(resolve, retryMs));
        if (signal.aborted) break;
      }
    }
    this.isOver = true;
    this.#notify();
  }

  async #read(uuid: string, stream: string): Promise<void> {
    const response = await fetch(`/v1/containers/${part(uuid)}/logs?stream=${stream}&follow=1`, {
      signal: this.#abort.signal,
    });
    if (response.status === 401) throw new LoggedOut();
    if (!response.ok) throw new Refused(response.status, await response.text());
    this.#clear();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      this.#take(value);
    }
    if (this.#rest !== '') this.#take('\n');
  }

  #clear(): void {
    this.lines = [];
    this.skipped = 0;
    this.error = undefined;
    this.#count = 0;
    this.#rest = '';
  }

  stop(): void {
    this.#abort.abort();
    cancelAnimationFrame(this.#frame);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!.slice(0, longestLineChars);
    const surplus = Math.max(0, this.lines.length + lines.length - longestLines);
    const unread = Math.max(0, lines.length - longestLines);
    this.#count += unread;
    const fresh = lines.slice(unread).map((line) => ({
      number: ++this.#count,
      text: plainText(line.slice(0, longestLineChars)),
    }));
    this.lines = [...this.lines, ...fresh].slice(-longestLines);
    this.skipped += surplus;
    this.#notify();
  }

  #notify(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#changed();
    });
  }
}
