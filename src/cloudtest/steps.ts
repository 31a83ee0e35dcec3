import type { Clock } from '../domain/clock.js';
import { DriverError } from '../drivers/driver.js';
import { ExecutorError } from '../ssh/executor.js';
import type { StepName, StepReport } from './report.js';

export interface StepsOptions {
  clock: Clock;
  /** The operator aborted: the current step ends, and only the clean-up follows. */
  signal: AbortSignal;
  begun(step: StepName, zone: string): void;
  done(report: StepReport): void;
}

/** Runs steps one by one and records their times and results. */
export class Steps {
  readonly reports: StepReport[] = [];
  readonly #options: StepsOptions;
  #zone = '';

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  /** Sets the zone of the following steps. */
  enter(zone: string): void {
    this.#zone = zone;
  }

  /**
   * Returns the result of the step, or `undefined` if it failed or did not start. `detail` is its text in the table.
   */
  async take<T>(
    step: StepName,
    work: (say: (detail: string) => void, signal: AbortSignal) => Promise<T>,
    signal = this.#options.signal,
  ): Promise<T | undefined> {
    if (signal.aborted) return undefined;
    const { clock, begun, done } = this.#options;
    const startedAt = clock.now();
    let detail = '';
    const note = (ok: boolean): void => {
      const report = { step, zone: this.#zone, ok, durationMs: clock.now() - startedAt, detail };
      this.reports.push(report);
      done(report);
    };
    begun(step, this.#zone);
    try {
      const result = await work((text) => (detail = text), signal);
      note(true);
      return result;
    } catch (error) {
      detail = explain(error);
      note(false);
      return undefined;
    }
  }

  /** Retries until something is found. Finally fails with the last error, or with what was expected. */
  async until<T>(
    what: string,
    { deadlineAt, pauseMs, signal }: { deadlineAt: number; pauseMs: number; signal: AbortSignal },
    look: () => Promise<T | undefined>,
  ): Promise<T> {
    const { clock } = this.#options;
    for (;;) {
      let failure: unknown = new Error(`${what} within the time there was`);
      try {
        const found = await look();
        if (found !== undefined) return found;
      } catch (error) {
        failure = error;
      }
      if (signal.aborted || clock.now() + pauseMs > deadlineAt) throw failure;
      await this.#pause(pauseMs, signal);
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = clock.setTimeout(end, ms);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

/** Returns class, text and remedy of a failure in one line. */
function explain(error: unknown): string {
  if (error instanceof DriverError) {
    const { code, message, remedy } = error;
    return `${code}: ${message}${remedy === undefined ? '' : `; ${remedy}`}`;
  }
  if (error instanceof ExecutorError) {
    const said = error.stderr.trim().split('\n').at(-1) ?? '';
    return `${error.code}: ${error.message}${said === '' ? '' : `: ${said.slice(0, 500)}`}`;
  }
  return error instanceof Error ? error.message : String(error);
}
