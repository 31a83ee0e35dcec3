import type * as z from 'zod';
import type { ConfigProblem } from './config-error.js';
import { nearest } from './nearest.js';
import { secretFields } from './read-secret.js';
import { fileSchema } from './schema.js';
import type { YamlFile } from './yaml-file.js';

const longestShown = 60;
/** A store URL may contain a password, and a misplaced parameter may be a secret. */
const neverShown = new Set<PropertyKey>([...secretFields, 'store', 'database', 'driverParameters']);
/** Prefixes of zod's own messages. */
const usualMessage = /^(Invalid|Too (small|big)|Unrecognized)\b/;

const remedyByType: Readonly<Record<string, string>> = {
  string: 'give text, in quotes if it looks like a number',
  number: 'give a number',
  int: 'give a whole number',
  boolean: 'give true or false',
  array: 'give a list',
  object: 'give a map of settings',
  record: 'give a map from names to values, not a list',
};

/**
 * Describes a schema issue with path, value, position and remedy. The schema describes the values below the first
 * `depth` names of the issue's path.
 */
export function explainIssue(
  issue: z.core.$ZodIssue,
  file: YamlFile,
  schema: z.ZodType = fileSchema,
  depth = 0,
): ConfigProblem[] {
  const at = (path: readonly PropertyKey[]): AnySchema | undefined => schemaAt(schema, path.slice(depth));
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(at(issue.path)?.shape ?? {});
    return issue.keys.map((key) => unknownKey(issue.path, key, { known, file }));
  }
  const path = issue.path.map(String).join('.');
  if (issue.code === 'invalid_key') {
    const place = file.placeOfKey(issue.path.slice(0, -1), String(issue.path.at(-1)));
    return [{ path, message: `this name will not do: ${issue.issues[0]?.message ?? ''}`, ...place }];
  }
  const message = `${stateOf(issue, file)}${remedyOf(issue, at(issue.path))}${shownValue(issue, file)}`;
  return [{ path, message, ...file.placeOf(issue.path) }];
}

/** Leaves the value out, because a misspelt key may be a secret. */
function unknownKey(
  parent: PropertyKey[],
  key: string,
  { known, file }: { known: readonly string[]; file: YamlFile },
): ConfigProblem {
  const hint = nearest(key, known);
  const remedy = hint === undefined ? `known are ${known.join(', ')}` : `did you mean ${hint}?`;
  return {
    path: [...parent.map(String), key].join('.'),
    message: `is not a setting: ${remedy}`,
    ...file.placeOfKey(parent, key),
  };
}

function stateOf(issue: z.core.$ZodIssue, file: YamlFile): string {
  if (issue.code === 'custom') return '';
  const value = file.valueAt(issue.path);
  if (value === null) return 'is empty: leave it out, or ';
  const isMissing = issue.path.length > 0 && !file.has(issue.path);
  return isMissing ? 'is missing: ' : '';
}

function remedyOf(issue: z.core.$ZodIssue, schema: AnySchema | undefined): string {
  if (!usualMessage.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type': {
      const about = schema?.description;
      return `${remedyByType[issue.expected] ?? `give a ${issue.expected}`}${about ? ` (${about.replace(/\.$/, '')})` : ''}`;
    }
    case 'too_small':
      return `give ${String(issue.minimum)} or more`;
    case 'too_big':
      return `give ${String(issue.maximum)} or less`;
    case 'invalid_value':
      return `give one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    default:
      return issue.message;
  }
}

function shownValue({ path, message }: z.core.$ZodIssue, file: YamlFile): string {
  if (path.some((part) => neverShown.has(part))) return '';
  const value = file.valueAt(path);
  if (value === undefined || value === null) return '';
  const text = JSON.stringify(value);
  if (typeof value === 'string' && message.includes(text)) return '';
  return ` (it is ${text.length > longestShown ? `${text.slice(0, longestShown)}…` : text})`;
}

interface AnySchema {
  description?: string;
  shape?: Record<string, AnySchema>;
  def?: { innerType?: AnySchema; valueType?: AnySchema; element?: AnySchema; in?: AnySchema };
}

/** Returns the schema of the setting at this path, without its default. */
function schemaAt(root: z.ZodType, path: readonly PropertyKey[]): AnySchema | undefined {
  let schema: AnySchema | undefined = root as unknown as AnySchema;
  for (const key of path) {
    const inner = unwrap(schema);
    schema = inner?.shape?.[String(key)] ?? inner?.def?.valueType ?? inner?.def?.element;
  }
  const inner = unwrap(schema);
  return inner && { ...inner, description: schema?.description ?? inner.description, shape: inner.shape };
}

function unwrap(schema: AnySchema | undefined): AnySchema | undefined {
  const inner = schema?.def?.innerType ?? schema?.def?.in;
  return inner ? unwrap(inner) : schema;
}
