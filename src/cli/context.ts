import type { Command } from 'commander';
import type { Client } from './client.js';
import type { SafeOutput } from './output.js';

/** Dependencies of every command. */
export interface CommandContext {
  /** Finds the daemon by the given options. Throws {@link ClientError}. */
  client(command: Command): Client;
  output: SafeOutput;
  setExitCode(code: number): void;
}
