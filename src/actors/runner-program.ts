import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { quoteIfNeeded } from '../domain/shell-quote.js';
import type { RunnerSettings } from '../config/config.js';
import { loadBuiltInRunner } from '../runner/runner-program.js';

/** The runner program as it is copied. */
export interface LoadedRunner {
  content: Uint8Array;
  /** Lower-case hex. */
  md5: string;
  /** Where it goes on the instance. */
  path: string;
}

/** The program that runs containers on instances: read once, and again at each occasion until that succeeds (P-10). */
export class RunnerProgram {
  readonly #settings: RunnerSettings;
  #loaded: LoadedRunner | undefined;
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

  /** Why it cannot be had, as of the last try; `undefined` when it can. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Rejects when the file cannot be read. */
  async load(): Promise<LoadedRunner> {
    if (this.#loaded) return this.#loaded;
    try {
      const { deploy, deployDirectory } = this.#settings;
      const content = deploy === 'built-in' ? await loadBuiltInRunner() : await readFile(deploy);
      const md5 = createHash('md5').update(content).digest('hex');
      this.#loaded = { content, md5, path: `${deployDirectory}/crunch-run~${md5}` };
      this.#fault = undefined;
      return this.#loaded;
    } catch (error) {
      this.#fault = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  /** How it is called on an instance, as one shell word, or as configured (P-10). */
  async command(): Promise<string> {
    return this.isDeployed ? quoteIfNeeded((await this.load()).path) : this.#settings.command;
  }
}

/** The command as the login user has to write it. */
export function asRoot(command: string, remoteUser: string): string {
  return remoteUser === 'root' ? command : `sudo ${command}`;
}
