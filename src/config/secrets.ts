import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { generateKeyPair } from '../ssh/keys.js';
import type { Config } from './config.js';
import { ConfigError } from './config-error.js';

const managementTokenFile = 'management-token';
const tokenBytes = 32;

/**
 * Returns the configuration with the secrets that it leaves open: generated on the first start and kept in the state
 * folder, readable by this user only. The management token is generated only for `managementToken: auto`; without one
 * the API refuses every request. Throws {@link ConfigError} when the state folder is not writable.
 */
export function ensureSecrets(config: Config): Config {
  const newToken = (): string => randomBytes(tokenBytes).toString('hex');
  const kept = (name: string, make: () => string): string => keep(config.stateDir, name, make);
  return {
    ...config,
    managementToken: config.makesManagementToken
      ? kept(managementTokenFile, newToken)
      : config.managementToken,
    systemRootToken: config.systemRootToken || kept('system-root-token', newToken),
    dispatchPrivateKey:
      config.dispatchPrivateKey || kept('dispatch-key', () => generateKeyPair().privateKey.trim()),
  };
}

/**
 * Returns the token of `managementToken: auto`, for clients of the daemon; `''` before its first start. Throws
 * {@link ConfigError} when this user may not read it.
 */
export function madeManagementToken({ stateDir }: Pick<Config, 'stateDir'>): string {
  const path = join(stateDir, managementTokenFile);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    const message = `the daemon keeps the management token here, and this user may not read it (${code}): run the command as the daemon’s user, or give LONGSHORE_TOKEN or --token-file`;
    throw new ConfigError(path, [{ path: '', message }]);
  }
}

function keep(stateDir: string, name: string, make: () => string): string {
  const path = join(stateDir, name);
  try {
    if (!existsSync(path)) writeOnce(stateDir, path, make());
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    const secret = readFileSync(path, 'utf8').trim();
    if (secret !== '') return secret;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(path, [
      {
        path: '',
        message: `the secret cannot be kept here (${code}): make stateDir writable, or set another`,
      },
    ]);
  }
  throw new ConfigError(path, [
    { path: '', message: 'the secret is empty: put it back, or remove the file' },
  ]);
}

/** Creates the file atomically; a concurrent second caller finds the first one's file. */
function writeOnce(stateDir: string, path: string, secret: string): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
