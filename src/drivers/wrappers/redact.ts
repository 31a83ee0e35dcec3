import { inspect } from 'node:util';
import { DriverError, type Driver } from '../driver.js';
import { delegate } from './delegate.js';

const censor = '[redacted]';
const shortestSecret = 4;
/** Beyond these an error is not searched through but cleaned at once. */
const deepest = 8;
const longestShown = 100_000;
/** Long enough to hold a secret in the encoding that user data is sent in. */
const encodedText = /[A-Za-z0-9+/_-]{16,}={0,2}/g;

/**
 * Keeps secrets out of errors: providers and their libraries repeat requests, and with them the init command and the
 * credentials. `secrets`: of this driver's configuration; those of a create call are in its spec. An error that shows
 * none passes as it is; another keeps its code, time, scope and the cleaned text of its causes.
 */
export function withRedaction(driver: Driver, secrets: readonly string[]): Driver {
  const clean = async <T>(call: () => Promise<T>, more: readonly string[] = []): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw withoutSecrets(DriverError.from(error), [...secrets, ...more]);
    }
  };
  return {
    ...delegate(driver),
    create: (spec, options) => clean(() => driver.create(spec, options), spec.secrets),
    list: (tags, options) => clean(() => driver.list(tags, options)),
    destroy: (id, options) => clean(() => driver.destroy(id, options)),
    setTags: (id, tags, options) => clean(() => driver.setTags(id, tags, options)),
    verifyHostKey: (instance, key, options) => clean(() => driver.verifyHostKey(instance, key, options)),
  };
}

/** The text with `[redacted]` in place of each secret, however it is encoded. */
export function redactText(text: string, secrets: readonly string[]): string {
  return redacted(text, formsOfAll(secrets));
}

/** The error, or one like it when anything that it would show, its causes and hidden fields included, is a secret. */
function withoutSecrets(error: DriverError, secrets: readonly string[]): DriverError {
  const forms = formsOfAll(secrets);
  const redact = (text: string): string => redacted(text, forms);
  const shown = inspect(error, {
    depth: deepest,
    showHidden: true,
    maxStringLength: longestShown,
    breakLength: Infinity,
  });
  if (shown.length < longestShown && redact(shown) === shown) return error;
  const { code, retryAt, scope, remedy } = error;
  const cleaned = new DriverError(code, redact(error.message), {
    cause: cleanedCause(error.cause, redact),
    ...(retryAt === undefined ? {} : { retryAt }),
    ...(scope === undefined ? {} : { scope }),
    ...(remedy === undefined ? {} : { remedy: redact(remedy) }),
  });
  cleaned.stack = redact(error.stack ?? '');
  return cleaned;
}

/** Name, text and place of each cause; fields that libraries add go away. */
function cleanedCause(cause: unknown, redact: (text: string) => string): Error | undefined {
  if (cause === undefined) return undefined;
  if (!(cause instanceof Error)) return new Error(redact(inspect(cause)));
  const inner = cleanedCause(cause.cause, redact);
  const cleaned = new Error(redact(cause.message), inner === undefined ? undefined : { cause: inner });
  cleaned.name = cause.name;
  cleaned.stack = redact(cause.stack ?? '');
  return cleaned;
}

function formsOfAll(secrets: readonly string[]): string[] {
  return [...new Set(secrets.filter(({ length }) => length >= shortestSecret).flatMap(formsOf))];
}

function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64');
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), base64];
}

function redacted(text: string, forms: readonly string[]): string {
  const plain = forms.reduce((rest, form) => rest.replaceAll(form, censor), text);
  return plain.replaceAll(encodedText, (encoded) => {
    const decoded = Buffer.from(encoded, 'base64').toString('utf8');
    return forms.some((form) => decoded.includes(form)) ? censor : encoded;
  });
}
