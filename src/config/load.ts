import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KeyError, publicKeyOf } from '../ssh/keys.js';
import type { Config } from './config.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { controllerProblems } from './controller-problems.js';
import { driverProblems } from './driver-problems.js';
import { readDriverSecrets } from './driver-secrets.js';
import { explainIssue } from './explain-issue.js';
import { readSecret, secretFields, type SecretField, type RequestedSecret } from './read-secret.js';
import { instanceTypesOf } from './instance-types.js';
import { nearest } from './nearest.js';
import { resolveConfig } from './resolve.js';
import { runnerProblems } from './runner-problems.js';
import { fileSchema, type ConfigFile } from './schema.js';
import { YamlFile } from './yaml-file.js';

export interface LoadOptions {
  env: NodeJS.ProcessEnv;
  /** The secrets to resolve; the others stay empty. Default: all, and then the driver's parameters are checked too. */
  secrets?: readonly RequestedSecret[];
}

/** Loads and checks the file. Throws {@link ConfigError} with every problem. */
export function loadConfig(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
  secrets?: readonly RequestedSecret[],
): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(path, [
      { path: '', message: `cannot be read (${code}): give the path of the file` },
    ]);
  }
  return parseConfig(text, { path: resolve(path), env, secrets });
}

/** Like {@link loadConfig}, for a text. */
export function parseConfig(text: string, options: LoadOptions & { path: string }): Config {
  const { path, env } = options;
  const file = new YamlFile(text);
  const syntax = file.syntaxProblems();
  if (syntax.length > 0) throw new ConfigError(path, syntax);
  const data = file.data();
  if (data === undefined) {
    throw new ConfigError(path, [
      { path: '', message: 'repeats its aliases too often: write the values out' },
    ]);
  }
  const parsed = fileSchema.safeParse(data);
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => explainIssue(issue, file));
  const secrets = readSecrets(data, file, options, problems);
  const { driverParameters } = data as { driverParameters?: unknown };
  const wantsDriver = options.secrets?.includes('driverParameters') ?? true;
  const parameters = wantsDriver ? readDriverSecrets(driverParameters, file, options, problems) : undefined;
  problems.push(...missingTypes(data, file));
  if (parsed.success) problems.push(...unknownWarmTypes(parsed.data, file));
  if (parsed.success)
    problems.push(...controllerProblems(parsed.data, file), ...runnerProblems(parsed.data, path, file));
  if (parsed.success && options.secrets === undefined) {
    problems.push(...driverProblems(parsed.data, parameters, file));
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(path, problems);
  return resolveConfig(parsed.data, { path, env, secrets, driverParameters: parameters });
}

function readSecrets(
  data: unknown,
  file: YamlFile,
  { path, env, secrets: requested = secretFields }: LoadOptions & { path: string },
  problems: ConfigProblem[],
): Record<SecretField, string> {
  const secrets = Object.fromEntries(secretFields.map((field) => [field, ''])) as Record<SecretField, string>;
  for (const field of requested) {
    if (field === 'driverParameters') continue;
    const value = (data as Partial<Record<SecretField, unknown>>)[field];
    if (typeof value !== 'string' || value === '') continue;
    try {
      secrets[field] = readSecret(value, { env, base: dirname(path) });
      if (field === 'dispatchPrivateKey') publicKeyOf(secrets[field]);
    } catch (error) {
      const message = error instanceof KeyError ? keyRemedy : (error as Error).message;
      problems.push({ path: field, message, ...file.placeOf([field]) });
    }
  }
  return secrets;
}

const keyRemedy = 'is no private key: give the OpenSSH or PEM text of an unencrypted key, or file:///path';

/** Only the loopback driver has a default type. */
function missingTypes(data: unknown, file: YamlFile): ConfigProblem[] {
  const { driver = 'loopback', instanceTypes } = data as { driver?: unknown; instanceTypes?: unknown };
  const isNone =
    instanceTypes === undefined || (isMap(instanceTypes) && Object.keys(instanceTypes).length === 0);
  if (driver === 'loopback' || !isNone) return [];
  const message = 'give at least one instance type: a map from its name to vcpus, ram and price';
  return [{ path: 'instanceTypes', message, ...file.placeOf(['instanceTypes']) }];
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks that the types of warm instances exist, the preemptible variants included. */
function unknownWarmTypes(config: ConfigFile, file: YamlFile): ConfigProblem[] {
  const known = [...instanceTypesOf(config).types.keys()];
  return config.pool.warm.flatMap(({ instanceType }, index) => {
    if (known.includes(instanceType)) return [];
    const place = ['pool', 'warm', index, 'instanceType'];
    const hint = nearest(instanceType, known);
    const remedy = hint === undefined ? `known are ${known.join(', ')}` : `did you mean ${hint}?`;
    const message = `"${instanceType}" is no instance type: ${remedy}`;
    return [{ path: place.join('.'), message, ...file.placeOf(place) }];
  });
}
