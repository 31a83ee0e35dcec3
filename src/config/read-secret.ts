import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';

export const secretFields = [
  'managementToken',
  'systemRootToken',
  'dispatchPrivateKey',
  'storePassword',
  'controllerDatabasePassword',
] as const;
/** Settings whose values are never shown. */
export type SecretField = (typeof secretFields)[number];
/** The secrets to resolve: the settings above, and secret parameters of the driver. */
export type RequestedSecret = SecretField | 'driverParameters';

export interface SecretSources {
  env: NodeJS.ProcessEnv;
  /** Base folder of relative `file://` paths. */
  base: string;
}

/** Resolves a literal, `env:NAME` or `file:///path`. Throws an `Error` with source and remedy, never the secret. */
export function readSecret(text: string, { env, base }: SecretSources): string {
  if (text.startsWith('env:')) {
    const name = text.slice('env:'.length);
    const value = env[name]?.trim() ?? '';
    if (value === '')
      throw new Error(`the environment variable ${name} is not set: set it, or use file:///path`);
    return value;
  }
  if (!text.startsWith('file://')) return text;
  const path = text.slice('file://'.length);
  const value = readText(isAbsolute(path) ? path : resolve(base, path));
  if (value === '') throw new Error(`the file ${path} is empty: put the secret in it`);
  return value;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw new Error(`there is no file ${path}: make it, or correct the path`, { cause });
    }
    throw new Error(`the file ${path} cannot be read (${code}): correct its path or its mode`, { cause });
  }
}
