import { DriverError, type DriverErrorOptions } from '../driver.js';
import { AzureFaultError, type AzureFault } from './fault.js';
import { retryAfterAt } from './retry-after.js';
import type { DriverErrorCode } from '../../domain/driver-error-code.js';

export interface TranslationContext {
  /** What was tried, as the subject of a sentence: `making the instance`. */
  what: string;
  nowMs: number;
  /** What must not be in any text. */
  secrets: readonly string[];
  /** What a 404 means here. */
  notFoundAs: DriverErrorCode;
}

interface Verdict extends DriverErrorOptions {
  code: DriverErrorCode;
}

const unnamedWaitMs = 20_000;
const longestText = 600;
const withoutRequest =
  /^(SkuNotAvailable|(Zonal)?AllocationFailed|Overconstrained(Zonal)?AllocationRequest)$/;
const credentialErrors: readonly unknown[] = [
  'AuthenticationError',
  'AuthenticationRequiredError',
  'AggregateAuthenticationError',
  'CredentialUnavailableError',
  'ClientConfigurationError',
];

/**
 * The one place that knows Azure's errors (AZ-32, DW-7, DW-8). Only a 429 or a throttling code is a rate limit, whatever
 * other reply has a `Retry-After`; without that header it is 20 s.
 */
export function translateAzureError(error: unknown, context: TranslationContext): DriverError {
  if (error instanceof DriverError) return error;
  if (!(error instanceof AzureFaultError)) return withoutReply(error as Error, context);
  const { fault } = error;
  const said = [fault.codes.join(', '), fault.messages.join(' ')].filter(Boolean).join(': ');
  const { code, ...options } = verdictOf(fault, context);
  return new DriverError(code, told(context, said || `Azure answered HTTP ${fault.status}`), {
    ...options,
    cause: new Error(
      `HTTP ${fault.status ?? 'status of an accepted operation'}, x-ms-request-id ${fault.requestId ?? 'none'}`,
    ),
  });
}

function told({ what, secrets }: TranslationContext, said: string): string {
  const hidden = secrets.filter(Boolean).reduce((text, secret) => text.replaceAll(secret, '[secret]'), said);
  const short = hidden.length > longestText ? `${hidden.slice(0, longestText)}…` : hidden;
  return `${what} failed: ${short.replaceAll(/\s+/g, ' ')}`;
}

function verdictOf(fault: AzureFault, { nowMs, notFoundAs }: TranslationContext): Verdict {
  const { status, codes, messages } = fault;
  const hasCode = (pattern: RegExp): boolean => codes.some((code) => pattern.test(code));
  if (status === 429 || hasCode(/throttl|TooManyRequests/i)) {
    return { code: 'rate-limited', retryAt: retryAfterAt(fault.retryAfter, nowMs) ?? nowMs + unnamedWaitMs };
  }
  if (hasCode(withoutRequest)) {
    return { code: 'capacity', scope: 'type', remedy: 'allow more instance types, or another location' };
  }
  const text = messages.join(' ');
  if (isFamilyQuota(text)) {
    return { code: 'capacity', scope: 'group', remedy: 'ask Azure for more cores of this VM family' };
  }
  if (hasCode(/SubnetIsFull/i)) return { code: 'quota', remedy: 'use a larger subnet' };
  if (hasCode(/quota|LimitReached|LimitExceeded/i) || /\bquota\b/i.test(text)) {
    return { code: 'quota', remedy: 'ask Azure for a larger quota, or lower pool.maxInstances' };
  }
  return byStatus(fault, hasCode, notFoundAs);
}

/** Azure gives every core quota the same code; only its text tells a family's from the region's. */
function isFamilyQuota(text: string): boolean {
  const [, name] = /exceeding approved (.+?) (?:Cores )?quota/i.exec(text) ?? [];
  return name !== undefined && !/^total regional/i.test(name);
}

function byStatus(
  { status = 500 }: AzureFault,
  hasCode: (pattern: RegExp) => boolean,
  notFoundAs: DriverErrorCode,
): Verdict {
  if (status === 401) {
    return { code: 'auth', remedy: 'check the credentials of the azure driver, and the clock of this host' };
  }
  if (hasCode(/^RequestDisallowedByPolicy$/)) {
    return { code: 'invalid', remedy: 'a policy of the subscription forbids it: have it changed' };
  }
  if (status === 403) {
    return { code: 'auth', remedy: 'give the identity the permissions that docs/azure.md lists' };
  }
  if (hasCode(/^(ResourceGroup|Subscription)NotFound$/)) {
    return { code: 'invalid', remedy: 'check subscriptionId and resourceGroup of the azure driver' };
  }
  if (status === 404) {
    const remedy = 'check image, network and subnet of the azure driver';
    return notFoundAs === 'invalid' ? { code: 'invalid', remedy } : { code: notFoundAs };
  }
  if (status === 408 || status >= 500) return { code: 'unavailable' };
  if (status === 409 && !hasCode(/^(OperationNotAllowed|PropertyChangeNotAllowed)$/)) {
    return { code: 'unavailable', remedy: 'another operation on the same resource has to end first' };
  }
  return { code: 'invalid', remedy: 'check the settings of the azure driver and the instance type' };
}

/** No reply of the resource manager: the network, or the sign-in. */
function withoutReply(error: Error, context: TranslationContext): DriverError {
  const { name, message, code, statusCode } = error as Error & { code?: unknown; statusCode?: number };
  const isOutage =
    statusCode === 429 ||
    (statusCode ?? 0) >= 500 ||
    /ENOTFOUND|ECONN|ETIMEDOUT|EAI_AGAIN|network_error|endpoints_resolution/i.test(message);
  if (credentialErrors.includes(name) && !isOutage) {
    return new DriverError('auth', told(context, `signing in to Azure: ${message}`), {
      remedy: 'check tenantId, clientId and clientSecret, or managedIdentity, of the azure driver',
    });
  }
  const where = typeof code === 'string' ? `${code}: ` : '';
  return new DriverError('unavailable', told(context, `${where}${message}`), {
    remedy: 'check the way from this host to Azure',
  });
}
