import { LoggedOut, part } from './api.js';
import { plainText } from './format.js';

/** What is held of a log: more than anybody reads, and little enough for a browser. */
const longestLines = 20_000;
const longestLineChars = 4_000;

const retryMs = 2_000;

class Refused extends Error {
  /** Asking again would change nothing. */
  readonly isFinal: boolean;
  constructor(status: number, text: string) {
    super(`The log cannot be had: ${status} ${text}`);
    this.isFinal = status < 500;
  }
}

export interface LogLine {
  number: number;
  text: string;
}

/** Follows what a container prints, and keeps the last lines of it. However fast it comes, it is told once a frame. */
export class LogStream {
  lines: LogLine[] = [];
  /** How many lines are not kept any more. */
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

  /** Reads until the container's output ends. After a lost connection it begins anew, as the daemon does. */
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
        this.#tell();
        await new Promise((resolve) => setTimeout(resolve, retryMs));
        if (signal.aborted) break;
      }
    }
    this.isOver = true;
    this.#tell();
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
    this.#tell();
  }

  #tell(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#changed();
    });
  }
}
