import { DriverError } from '../drivers/driver.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { RemoteFailure } from '../machines/worker-effects.js';

/** A driver's error as plain data. */
export function cloudFailure(error: unknown): CloudFailure {
  const { code, message, retryAt, scope, remedy } = DriverError.from(error);
  return { code, message, retryAt, scope, remedy };
}

/** The same, in the shape of a step that did not succeed. */
export function cloudStepFailure(error: unknown): RemoteFailure {
  const { code, message, remedy } = DriverError.from(error);
  const text = remedy === undefined ? message : `${message}: ${remedy}`;
  return { ok: false, code, message: text, stdout: '', stderr: '', expected: false };
}
