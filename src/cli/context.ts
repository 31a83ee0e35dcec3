import type { Command } from 'commander';
import type { Client } from './client.js';
import type { Output } from './output.js';

/** What every command needs. */
export interface CommandContext {
  /** Finds the daemon by the options given. Throws `ClientError`. */
  client(command: Command): Client;
  output: Output;
  setExitCode(code: number): void;
}
