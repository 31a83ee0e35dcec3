import { readFile } from 'node:fs/promises';

/** The runner program that comes with Longshore, as it is copied to instances. */
export function loadBuiltInRunner(): Promise<Uint8Array> {
  return readFile(new URL('./longshore-runner.sh', import.meta.url));
}
