import * as z from 'zod';
import type { Instance } from '../../domain/instance.js';
import { DriverError, type CreateSpec } from '../driver.js';
import { driverErrorCodes } from '../../domain/driver-error-code.js';

/** Version of the protocol that this speaks. */
export const protocolVersion = 1;
const defaultRetryMs = 20_000;

const text = z.string();
const epochMs = z.iso.datetime({ offset: true }).transform((at) => Date.parse(at));

const instance = z.object({
  id: text.min(1),
  name: text.optional(),
  type: text,
  address: text.nullish().transform((address) => address ?? ''),
  user: text.optional(),
  tags: z.record(text, text),
  /** OpenSSH texts; when there are any, no other key is accepted. */
  hostKeys: z.array(text).optional(),
  prices: z.array(z.object({ at: epochMs, price: z.number().min(0) })).optional(),
});

const hello = z.object({
  protocol: z.int(),
  name: text.optional(),
  /** Of provider types. */
  quotaGroups: z.record(text, text).optional(),
});

const failure = z.object({
  code: text,
  message: text,
  retryAfterSeconds: z.number().min(0).optional(),
  scope: z.enum(['type', 'group', 'zone', 'all']).optional(),
  remedy: text.optional(),
});

const reply = z.object({ id: z.int(), result: z.unknown().optional(), error: failure.optional() });

export const results = { hello, create: instance, list: z.object({ instances: z.array(instance) }) };

export type Hello = z.output<typeof hello>;
export type ProgramInstance = z.output<typeof instance>;

/** What a request came to. */
export type Reply = { result: unknown } | { error: DriverError };

/** One reply line. Throws {@link DriverError} `unavailable` for a line that is no reply to the request. */
export function readReply(line: string, id: number, now: number): Reply {
  const parsed = reply.safeParse(parseJson(line));
  if (!parsed.success) throw misspoken(`"${line.slice(0, 200)}" is no reply`);
  if (parsed.data.id !== id) throw misspoken(`it answered request ${parsed.data.id} instead of ${id}`);
  const { error, result } = parsed.data;
  return error ? { error: errorOf(error, now) } : { result: result ?? {} };
}

function errorOf(failed: z.output<typeof failure>, now: number): DriverError {
  const { message, scope, remedy, retryAfterSeconds } = failed;
  const code = driverErrorCodes.find((each) => each === failed.code && each !== 'aborted') ?? 'unavailable';
  const retryMs = retryAfterSeconds === undefined ? defaultRetryMs : retryAfterSeconds * 1_000;
  return new DriverError(code, code === failed.code ? message : `${failed.code}: ${message}`, {
    ...(code === 'rate-limited' ? { retryAt: now + retryMs } : {}),
    ...(code === 'capacity' ? { scope: scope ?? 'all' } : {}),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** The result as the protocol wants it. Throws {@link DriverError} `unavailable` that names what is wrong. */
export function checkResult<T>(schema: z.ZodType<T>, method: string, result: unknown): T {
  const parsed = schema.safeParse(result);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.join('.') || 'result'}: ${message}`);
  throw misspoken(`its reply to ${method} is not as it should be: ${issues.join('; ')}`);
}

export function misspoken(what: string): DriverError {
  return new DriverError('unavailable', `the driver program does not keep to the protocol: ${what}`, {
    remedy: 'correct the program',
  });
}

/** What a create request says. */
export function createParams(spec: CreateSpec): Record<string, unknown> {
  const { secrets: _, ...rest } = spec;
  return { ...rest };
}

export function toInstance(given: ProgramInstance): Instance {
  const { id, name = id, type, address, user = 'root', tags, prices = [] } = given;
  const newestFirst = prices.map(({ at, price }) => ({ startAt: at, price }));
  newestFirst.sort((a, b) => b.startAt - a.startAt);
  return {
    id,
    displayName: name,
    providerType: type,
    address,
    remoteUser: user,
    tags,
    priceHistory: newestFirst,
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
