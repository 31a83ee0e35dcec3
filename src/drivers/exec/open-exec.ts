import { resolve } from 'node:path';
import type { Clock } from '../../domain/clock.js';
import type { Driver, DriverWarning } from '../driver.js';
import { ExecDriver } from './exec-driver.js';
import { parseExecParameters } from './parameters.js';
import { ProgramPool } from './program-pool.js';
import { protocolVersion } from './protocol.js';

export interface ExecOptions {
  parameters: unknown;
  instanceSetId: string;
  /** Folder that the program runs in, and that its path starts from. */
  folder: string;
  /** What no line that is passed on may show. */
  secrets: readonly string[];
  clock: Clock;
  warn: DriverWarning;
}

/** All that a program sees of the daemon's own environment, which holds secrets besides. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/**
 * Starts the program and hears what it is. Rejects with {@link DriverError}: `invalid` when it cannot be started or
 * speaks another version, `unavailable` when it does not answer.
 */
export async function openExecDriver({
  folder,
  secrets,
  clock,
  warn,
  ...rest
}: ExecOptions): Promise<Driver> {
  const { command, env, parameters, processes } = parseExecParameters(rest.parameters);
  const [program, ...args] = command;
  const programs = new ProgramPool({
    command: [program!.includes('/') ? resolve(folder, program!) : program!, ...args],
    env: { ...Object.fromEntries(inherited.map((name) => [name, process.env[name]])), ...env },
    folder,
    clock,
    processes,
    secrets,
    greeting: { protocol: protocolVersion, instanceSetId: rest.instanceSetId, parameters },
    onComplaint: (line) => warn('the driver program says', { line }),
  });
  try {
    return new ExecDriver(programs, await programs.greet());
  } catch (error) {
    await programs.stop();
    throw error;
  }
}
