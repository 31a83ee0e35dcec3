import { QueueError, type QueueErrorCode } from '../queue.js';

const longestMessage = 300;

/** The same error with the id under which the controller's logs have the request. */
export function quoting(requestId: string, error: QueueError): QueueError {
  return new QueueError(error.code, `${error.message} (${requestId})`, { cause: error.cause });
}

/** The controller could not be reached, or the connection broke. */
export function networkError(url: string, cause: unknown): QueueError {
  const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
  const text = /CERT|TLS|SSL|SIGNATURE/.test(code)
    ? `controller.caFile: the certificate of ${url} is not trusted (${code}): give the PEM file of its authority`
    : `controller.url: ${url} cannot be reached (${code || message}): check the address, and that the controller runs`;
  return new QueueError('unavailable', text, { cause });
}

export function untimelyError(what: string, timeoutMs: number): QueueError {
  const text = `controller.requestTimeout: ${what} had no answer within ${timeoutMs} ms: see what holds the controller up, or allow more`;
  return new QueueError('unavailable', text);
}

/** The controller answered, and not with success. */
export function replyError(what: string, status: number, body: string): QueueError {
  const said = saidIn(body);
  if (status === 401) {
    const remedy = "give the cluster's SystemRootToken";
    return new QueueError('unavailable', `systemRootToken: the controller refuses it (401): ${remedy}`);
  }
  if (status >= 300 && status < 400) {
    const text = `controller.url: ${what} is sent elsewhere (${status}): give the address of the controller itself`;
    return new QueueError('unavailable', text);
  }
  return new QueueError(codeOf(status), `the controller answers ${what} with ${status}: ${said}`);
}

function codeOf(status: number): QueueErrorCode {
  if (status === 404) return 'not-found';
  return status >= 400 && status < 500 && status !== 429 ? 'conflict' : 'unavailable';
}

/** What a person can read of an error's document. */
function saidIn(body: string): string {
  let said = body;
  try {
    const { errors } = JSON.parse(body) as { errors?: unknown };
    if (Array.isArray(errors)) said = errors.map(String).join('; ');
  } catch {
    // It is a text of whoever stands between.
  }
  return said.replace(/\s+/g, ' ').trim().slice(0, longestMessage) || 'nothing';
}
