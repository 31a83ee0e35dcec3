import { createRequire } from 'node:module';
import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino';

/** Fields whose values never reach the log, wherever they are and however they are capitalised. */
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

/** The root logger: one line of JSON for each event on standard error; prettier on a terminal. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: (fields) => withoutSecrets(fields, 0) as Record<string, unknown> },
    // The formatter has dealt with errors.
    serializers: { err: (value: unknown) => value },
    // The fields of child loggers do not pass the formatter.
    redact: { paths: secretNames, censor },
  };
  if (destination) return pino(options, destination);
  if (!process.stderr.isTTY) return pino(options, pino.destination(2));
  const target = createRequire(import.meta.url).resolve('pino-pretty');
  return pino({ ...options, transport: { target, options: { destination: 2 } } });
}

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
