import { createRequire } from 'node:module';
import pino, { type DestinationStream, type Logger } from 'pino';

/** Wherever these fields are, their values never reach the log. */
const redact = [
  'managementToken',
  'systemRootToken',
  'dispatchPrivateKey',
  'privateKey',
  'secret',
  'token',
  'password',
];

/** The root logger: one line of JSON for each event; prettier on a terminal. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: redact.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
  };
  if (destination) return pino(options, destination);
  if (!process.stderr.isTTY) return pino(options, pino.destination(2));
  const target = createRequire(import.meta.url).resolve('pino-pretty');
  return pino({ ...options, transport: { target, options: { destination: 2 } } });
}
