import { createRequire } from 'node:module';
import { visibleText } from '../domain/visible-text.js';
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino';

/** Fields whose values never reach the log, at any depth and in any capitalisation. */
const secretNames = [
  'managementToken',
  'systemRootToken',
  'dispatchPrivateKey',
  'privateKey',
  'secret',
  'instanceSecret',
  'gatewayAuthSecret',
  'clientSecret',
  'secretAccessKey',
  'token',
  'apiToken',
  'api_token',
  'ARVADOS_API_TOKEN',
  'sessionToken',
  'password',
  'storePassword',
  'controllerDatabasePassword',
  'passphrase',
  'authorization',
  'cookie',
];
const hidden = new Set(secretNames.map((name) => name.toLowerCase()));
const censor = '[redacted]';
const deepest = 8;

/** Returns the root logger: one line of JSON per event on standard error; pretty-printed on a terminal. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: (fields) => withoutSecrets(fields, 0) as Record<string, unknown> },
    // The formatter handles errors.
    serializers: { err: (value: unknown) => value },
    // The fields of child loggers bypass the formatter.
    redact: { paths: secretNames, censor },
  };
  if (destination) return pino(options, destination);
  if (!process.stderr.isTTY) return pino(options, pino.destination(2));
  const pretty = createRequire(import.meta.url)('pino-pretty') as PrettyModule;
  const shown = pretty({ destination: 2, sync: true });
  return pino(options, { write: (line) => void shown.write(writtenOut(line)) });
}

type PrettyModule = (options: { destination: number; sync: boolean }) => NodeJS.WritableStream;

/** Returns the line of JSON with control characters in its texts escaped, so that no field controls the terminal. */
function writtenOut(line: string): string {
  return (
    line.trimEnd().replace(escapedOrSteering, (text) => {
      const character = text.length === 1 ? text : (JSON.parse(`"${text}"`) as string);
      return JSON.stringify(visibleText(character)).slice(1, -1);
    }) + '\n'
  );
}

/** Matches an escape of JSON, or a character that JSON leaves unchanged and a terminal interprets. */
const escapedOrSteering = /\\(?:u[0-9a-f]{4}|.)|[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/gi;

function withoutSecrets(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  if (value instanceof Error) return withoutSecrets({ ...pino.stdSerializers.err(value) }, depth);
  if (depth > deepest) return '[too deep]';
  if (Array.isArray(value)) return value.map((each) => withoutSecrets(each, depth + 1));
  const fields: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    const isSecret = field !== undefined && hidden.has(key.toLowerCase());
    fields[key] = isSecret ? censor : withoutSecrets(field, depth + 1);
  }
  return fields;
}
