import { dirname } from 'node:path';
import type { ConfigProblem } from './config-error.js';
import { readSecret } from './read-secret.js';
import type { YamlFile } from './yaml-file.js';

const secretName = /secret|password|token|key/i;

/** True for the name of a driver's parameter whose value is never shown, and may be `env:NAME` or `file:///path`. */
export function isSecretParameter(name: string): boolean {
  return secretName.test(name);
}

/** The driver's parameters with their secrets fetched; what cannot be fetched is added to the problems. */
export function readDriverSecrets(
  parameters: unknown,
  file: YamlFile,
  { path, env }: { path: string; env: NodeJS.ProcessEnv },
  problems: ConfigProblem[],
): Record<string, string> {
  const read: Record<string, string> = {};
  if (typeof parameters !== 'object' || parameters === null) return read;
  for (const [name, value] of Object.entries(parameters)) {
    if (!isSecretParameter(name) || typeof value !== 'string') continue;
    try {
      read[name] = readSecret(value, { env, base: dirname(path) });
    } catch (error) {
      const place = ['driverParameters', name];
      problems.push({ path: place.join('.'), message: (error as Error).message, ...file.placeOf(place) });
    }
  }
  return read;
}
