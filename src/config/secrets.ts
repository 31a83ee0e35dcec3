import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeyPair } from '../ssh/keys.js';
import type { Config } from './config.js';

/**
 * The configuration with the secrets it leaves open: made on the first start, kept in the state folder for this user
 * only. The management token is never made: without one the API refuses everyone.
 */
export function ensureSecrets(config: Config): Config {
  const kept = (name: string, make: () => string): string => {
    const path = join(config.stateDir, name);
    if (existsSync(path)) return readFileSync(path, 'utf8').trim();
    mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
    const secret = make();
    writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    return secret;
  };
  return {
    ...config,
    systemRootToken:
      config.systemRootToken || kept('system-root-token', () => randomBytes(32).toString('hex')),
    dispatchPrivateKey:
      config.dispatchPrivateKey || kept('dispatch-key', () => generateKeyPair().privateKey.trim()),
  };
}
