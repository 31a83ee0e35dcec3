import * as z from 'zod';
import { DriverError } from '../driver.js';
import { readDurable, writeDurable } from '../durable-file.js';

const record = z.object({
  id: z.string(),
  providerType: z.string(),
  tags: z.record(z.string(), z.string()),
  /** Private key of the instance's SSH server. */
  hostKey: z.string(),
  authorizedKey: z.string(),
  /** Idempotency token of the create call. */
  wish: z.string().default(''),
  createdAt: z.number(),
});
const file = z.object({ nextNumber: z.int(), instances: z.array(record) });

/** What outlives the daemon of one loopback instance. */
export type InstanceRecord = z.infer<typeof record>;
export type LoopbackState = z.infer<typeof file>;

/** The instances as last written; none when there is no file. Throws {@link DriverError} `invalid` for a damaged one. */
export function readState(path: string): LoopbackState {
  const text = readDurable(path);
  if (text === undefined) return { nextNumber: 1, instances: [] };
  try {
    return file.parse(JSON.parse(text));
  } catch (error) {
    throw new DriverError('invalid', `${path} is damaged`, {
      cause: error,
      remedy: 'move it away; containers that still run on its instances are then not known any more',
    });
  }
}

/** Whole or not at all, and on the disk when it returns. Throws {@link DriverError} `unavailable`. */
export function writeState(path: string, state: LoopbackState): void {
  writeDurable(path, JSON.stringify(state));
}
