import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { quoteIfNeeded } from '../domain/shell-quote.js';
import type { RunnerSettings } from './runner-settings.js';

/** The runner program as it is copied. */
export interface LoadedRunner {
  content: Uint8Array;
  /** Lower-case hex. */
  md5: string;
  /** Where it goes on the instance. */
  path: string;
  /** Where it goes when it cannot be put there. */
  fallbackPath?: string;
}

/** The program that runs containers on instances: read once, and again at each occasion until that succeeds (P-10). */
export class RunnerProgram {
  readonly #settings: RunnerSettings;
  #loaded: LoadedRunner | undefined;
  #loading: Promise<LoadedRunner> | undefined;
  #fault: string | undefined;

  constructor(settings: RunnerSettings) {
    this.#settings = settings;
  }

  /** False: the program is on the instances already, and nothing is copied. */
  get isDeployed(): boolean {
    return this.#settings.deploy !== '';
  }

  /** True for Longshore's own program, which keeps results to be collected and can be watched. */
  get isOurs(): boolean {
    return this.#settings.deploy === 'built-in';
  }

  /**
   * Why it cannot be had, as of the last try; `undefined` when it can, or before the first try ended. Asking begins
   * another try unless the last one succeeded, so that a file that appears late is found (L-1, L-36).
   */
  health(): string | undefined {
    if (this.isDeployed && !this.#loaded) this.load().catch(() => undefined);
    return this.#fault;
  }

  /** Rejects when the file cannot be read. Calls that meet share one read. */
  load(): Promise<LoadedRunner> {
    if (this.#loaded) return Promise.resolve(this.#loaded);
    this.#loading ??= this.#read().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #read(): Promise<LoadedRunner> {
    try {
      const { deploy, deployDirectory, deployFallback } = this.#settings;
      const content = deploy === 'built-in' ? await loadBuiltInRunner() : await readFile(deploy);
      const md5 = createHash('md5').update(content).digest('hex');
      const pathIn = (folder: string): string => `${folder}/crunch-run~${md5}`;
      this.#loaded = {
        content,
        md5,
        path: pathIn(deployDirectory),
        ...(deployFallback !== undefined && { fallbackPath: pathIn(deployFallback) }),
      };
      this.#fault = undefined;
      return this.#loaded;
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  /** How it is called on this instance, as one shell word, or as configured (P-10). */
  async command({ runnerPath }: { runnerPath?: string | undefined } = {}): Promise<string> {
    if (!this.isDeployed) return this.#settings.command;
    return quoteIfNeeded(runnerPath ?? (await this.load()).path);
  }
}

/** The runner program that comes with Longshore, as it is copied to instances. */
export function loadBuiltInRunner(): Promise<Uint8Array> {
  return readFile(new URL('./longshore-runner.sh', import.meta.url));
}
