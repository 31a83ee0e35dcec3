import { dirname } from 'node:path';
import type { ConfigProblem } from './config-error.js';
import { readSecret } from './read-secret.js';
import type { YamlFile } from './yaml-file.js';

const secretName = /secret|password|token|key/i;
const censor = '[redacted]';

/** The driver's parameters with their secrets fetched; what cannot be fetched is added to the problems. */
export function readDriverSecrets(
  parameters: unknown,
  file: YamlFile,
  { path, env }: { path: string; env: NodeJS.ProcessEnv },
  problems: ConfigProblem[],
): Record<string, unknown> {
  const read = mapSecrets(parameters, (value, place) => {
    try {
      return readSecret(value, { env, base: dirname(path) });
    } catch (error) {
      const full = ['driverParameters', ...place];
      problems.push({ path: full.join('.'), message: (error as Error).message, ...file.placeOf(full) });
      // It is there, so nothing else is wrong with its not being there.
      return value;
    }
  });
  return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : {};
}

/** The parameters as they may be shown. */
export function withoutDriverSecrets(parameters: unknown): unknown {
  return mapSecrets(parameters, () => censor);
}

/** The values of all secret parameters. */
export function driverSecretsOf(parameters: unknown): string[] {
  const found: string[] = [];
  mapSecrets(parameters, (value) => (found.push(value), value));
  return found;
}

/** A copy in which each text that is secret by its name, or by that of a map or list around it, is replaced. */
function mapSecrets(
  value: unknown,
  replace: (value: string, place: readonly string[]) => string,
  place: readonly string[] = [],
): unknown {
  const isSecret = place.some((name) => secretName.test(name));
  if (typeof value === 'string') return isSecret ? replace(value, place) : value;
  if (Array.isArray(value)) {
    return value.map((each, index) => mapSecrets(each, replace, [...place, String(index)]));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [
    name,
    mapSecrets(each, replace, [...place, name]),
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}
