import * as z from 'zod';
import { DriverError } from '../driver.js';
import { secret } from '../secret-parameter.js';

export const execSchema = z.strictObject({
  /** Program and arguments; no shell is between. A path with a slash starts from the folder of the configuration. */
  command: z.array(z.string()).min(1, 'give the program and its arguments as a list'),
  /** Environment beyond what every program needs; secrets as `env:NAME` or `file:///path`. */
  env: secret(z.record(z.string(), z.string()).default({})),
  /** Handed to the program as it is. */
  parameters: secret(z.record(z.string(), z.unknown()).default({})),
  /** How many of it run at once; each works at one request at a time. */
  processes: z.int().min(1).max(64).default(4),
});

export type ExecParameters = z.output<typeof execSchema>;

/** Throws {@link DriverError} `invalid` naming each field that is wrong. */
export function parseExecParameters(value: unknown): ExecParameters {
  const parsed = execSchema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => {
    return `${['driverParameters', ...path].join('.')}: ${message}`;
  });
  throw new DriverError('invalid', issues.join('; '));
}
