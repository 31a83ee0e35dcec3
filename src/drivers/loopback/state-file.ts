import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { DriverError } from '../driver.js';

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
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { nextNumber: 1, instances: [] };
    throw new DriverError('unavailable', `${path} cannot be read`, { cause: error });
  }
  try {
    return file.parse(JSON.parse(text));
  } catch (error) {
    throw new DriverError('invalid', `${path} is damaged`, {
      cause: error,
      remedy: 'move it away; containers that still run on its instances are then not known any more',
    });
  }
}

/** Whole or not at all, and on the disk when it returns. */
export function writeState(path: string, state: LoopbackState): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(draft, JSON.stringify(state));
    fsyncSync(draft);
  } finally {
    closeSync(draft);
  }
  renameSync(`${path}.new`, path);
  const entries = openSync(folder, 'r');
  try {
    fsyncSync(entries);
  } finally {
    closeSync(entries);
  }
}
