import { dirname } from 'node:path';
import type * as z from 'zod';
import { driverParameters, isSecretParameter } from '../drivers/parameters.js';
import type { Config } from './config.js';
import type { ConfigProblem } from './config-error.js';
import { readSecret } from './read-secret.js';
import type { YamlFile } from './yaml-file.js';
import { withoutSecretsInText, withoutSecretsInWords } from './secrets-in-text.js';

const secretName = /secret|password|token|key/i;
const censor = '[redacted]';

/** Returns the driver's parameters with resolved secrets; adds secrets that cannot be resolved to the problems. */
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
      // The parameter exists, so it must not be reported as missing too.
      return value;
    }
  });
  return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : {};
}

/** What `config show` and redaction need to know of a driver. */
type DriverSettings = Pick<Config, 'driver' | 'driverParameters'>;

/**
 * Returns the parameters for display: without values that the driver's schema marks as secret, without values that no
 * schema describes, and without passwords in addresses and commands.
 */
export function withoutDriverSecrets({ driver, driverParameters: given }: DriverSettings): unknown {
  return shown(given, driverParameters.get(driver)?.schema);
}

function shown(value: unknown, schema: z.ZodType | undefined): unknown {
  const known = bare(schema);
  if (!known || isMarked(schema)) return hidden(value);
  if (Array.isArray(value)) return withoutSecretsInWords(value.map((each) => shown(each, known.element)));
  if (!isMap(value)) return typeof value === 'string' ? withoutSecretsInText(value) : value;
  const { shape, value: each } = known;
  if (!shape && !each) return hidden(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, shown(inner, shape ? shape[name] : each)]),
  );
}

/** Keeps the names, which show what is set. */
function hidden(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hidden);
  if (isMap(value))
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, hidden(each)]));
  return value === '' || value === null || value === undefined ? value : censor;
}

/** Returns the values of all parameters that are secret by name or by the driver's schema. */
export function driverSecretsOf({ driver, driverParameters: given }: DriverSettings): string[] {
  const found: string[] = [];
  mapSecrets(given, (value) => (found.push(value), value));
  collectMarked(given, driverParameters.get(driver)?.schema, found);
  return [...new Set(found)].filter((each) => each !== '');
}

function collectMarked(value: unknown, schema: z.ZodType | undefined, found: string[]): void {
  if (isMarked(schema)) return void found.push(...textsIn(value));
  const known = bare(schema);
  if (!known) return;
  if (Array.isArray(value)) for (const each of value) collectMarked(each, known.element, found);
  else if (isMap(value)) {
    for (const [name, inner] of Object.entries(value)) {
      collectMarked(inner, known.shape ? known.shape[name] : known.value, found);
    }
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** Returns a copy in which each text is replaced that is secret by its name, or by that of a map or list around it. */
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

interface Bare {
  shape: Record<string, z.ZodType> | undefined;
  element: z.ZodType | undefined;
  /** The schema of each value of a map with arbitrary names. */
  value: z.ZodType | undefined;
}

interface AnyDef {
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: z.ZodType[];
}

/** Returns the schema without defaults and transformations; `undefined` for a schema without inner structure. */
function bare(schema: z.ZodType | undefined): Bare | undefined {
  if (!schema) return undefined;
  const def = schema.def as AnyDef;
  const inner = def.innerType ?? def.in;
  if (inner) return bare(inner);
  const choices = (def.options ?? []).map((each) => bare(each));
  return {
    shape: (schema as unknown as { shape?: Record<string, z.ZodType> }).shape,
    element: def.element ?? choices.find((each) => each?.element)?.element,
    value: def.valueType ?? choices.find((each) => each?.value)?.value,
  };
}

function isMarked(schema: z.ZodType | undefined): boolean {
  if (!schema) return false;
  const { innerType, in: source } = schema.def as AnyDef;
  return isSecretParameter(schema) || isMarked(innerType ?? source);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
