import * as z from 'zod';
import { DriverError } from '../driver.js';

export const loopbackSchema = z.strictObject({
  /** How many instances there may be at once; one more is a quota error. */
  maxInstances: z.int().min(1).default(8),
  /** How long a new instance does not answer, to see booting at work. */
  bootDelayMs: z.int().min(0).max(3_600_000).default(0),
});

export type LoopbackParameters = z.infer<typeof loopbackSchema>;

/** Throws {@link DriverError} `invalid` naming the field. */
export function parseLoopbackParameters(parameters: unknown): LoopbackParameters {
  const parsed = loopbackSchema.safeParse(parameters ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = ['driverParameters', ...(issue?.path ?? [])].join('.');
  throw new DriverError('invalid', `${path}: ${issue?.message ?? 'not valid'}`, {
    remedy: 'the loopback driver takes maxInstances and bootDelayMs',
  });
}
