import { QueueError } from '../queue.js';
import { libsqlFault } from './libsql.js';
import { postgresFault } from './postgres.js';

/** A fault of the database as a {@link QueueError}; one that is a {@link QueueError} already stays as it is. */
export function storeError(what: string, cause: unknown): QueueError {
  if (cause instanceof QueueError) return cause;
  const fault = libsqlFault(cause) ?? postgresFault(cause);
  const text = fault?.text ?? (cause instanceof Error ? cause.message : String(cause));
  return new QueueError('unavailable', `${what}: ${text}`, { cause });
}

/** Runs work on the database; rejects with {@link QueueError} only. `what` begins the message. */
export async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw storeError(what, cause);
  }
}
