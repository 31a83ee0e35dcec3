import type { Command } from 'commander';
import type { Client } from './client.js';
import type { SafeOutput } from './output.js';

/** What every command needs. */
export interface CommandContext {
  /** Finds the daemon by the options given. Throws `ClientError`. */
  client(command: Command): Client;
  output: SafeOutput;
  setExitCode(code: number): void;
}
