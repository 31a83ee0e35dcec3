import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DriverError } from './driver.js';

/** The text of the file; `undefined` when there is none. Throws {@link DriverError} `unavailable` when it cannot be read. */
export function readDurable(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DriverError('unavailable', `${path} cannot be read`, { cause: error });
  }
}

/**
 * Writes the file whole or not at all, for this user only; it is on the disk when this returns. Throws
 * {@link DriverError} `unavailable`.
 */
export function writeDurable(path: string, text: string): void {
  try {
    const folder = dirname(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    sync(openSync(`${path}.new`, 'w', 0o600), (draft) => writeFileSync(draft, text));
    renameSync(`${path}.new`, path);
    sync(openSync(folder, 'r'), () => {});
  } catch (cause) {
    throw new DriverError('unavailable', `${path} cannot be written`, { cause });
  }
}

function sync(descriptor: number, write: (descriptor: number) => void): void {
  try {
    write(descriptor);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
