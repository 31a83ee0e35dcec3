import { randomBytes } from 'node:crypto';
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Clock } from '../../domain/clock.js';
import { QueueError } from '../queue.js';
import { networkError, quoting, replyError, untimelyError } from './controller-errors.js';

export interface ControllerClientOptions {
  /** `http(s)://HOST[:PORT]`. */
  url: string;
  token: string;
  /** PEM text of the authorities to trust in place of the system's; `''`: the system's. */
  ca: string;
  /** True: any certificate will do. */
  isInsecure: boolean;
  /** Of each call, from its beginning to the last byte of the answer. */
  timeoutMs: number;
  clock: Clock;
  /** Names this program and its version to the controller. */
  userAgent: string;
}

export type Method = 'GET' | 'POST' | 'PUT';

/** Half of what a small server answers at a time: its other clients want something of it, too. */
const connections = 8;
const longestReply = 64 * 2 ** 20;

/**
 * Calls to the controller's API, each made once: whoever calls decides whether to try again. Rejects with
 * {@link QueueError} only, which names the setting to look at and never holds the token.
 */
export class ControllerClient {
  readonly #options: ControllerClientOptions;
  readonly #base: URL;
  readonly #agent: HttpAgent;
  #last503At = 0;
  #overloads = 0;

  constructor(options: ControllerClientOptions) {
    this.#options = options;
    this.#base = new URL('arvados/v1/', options.url.endsWith('/') ? options.url : `${options.url}/`);
    const { ca, isInsecure } = options;
    const pool = { keepAlive: true, maxSockets: connections };
    this.#agent =
      this.#base.protocol === 'https:'
        ? new HttpsAgent({ ...pool, rejectUnauthorized: !isInsecure, ...(ca === '' ? {} : { ca }) })
        : new HttpAgent(pool);
  }

  /** When a call was last answered with 503, by whomever (SC-20); epoch ms, 0: never. */
  get last503At(): number {
    return this.#last503At;
  }

  /** How many calls were answered with 503. */
  get overloads(): number {
    return this.#overloads;
  }

  /** The answer's JSON. `query` and `body` as the API wants them: what is not text is sent as JSON. */
  async call(
    method: Method,
    path: string,
    { query = {}, body }: { query?: Readonly<Record<string, unknown>>; body?: unknown } = {},
  ): Promise<unknown> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) {
      url.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value));
    }
    const requestId = newRequestId();
    const { status, text } = await this.#exchange(method, url, { body, requestId });
    const what = `${method} ${path}`;
    if (status === 503) {
      this.#last503At = this.#options.clock.now();
      this.#overloads++;
    }
    if (status < 200 || status > 299) throw quoting(requestId, replyError(what, status, text));
    try {
      return JSON.parse(withWholePriorities(text));
    } catch (cause) {
      const message = `controller.url: the answer to ${what} is no JSON: is this the controller's address?`;
      throw quoting(requestId, new QueueError('unavailable', message, { cause }));
    }
  }

  /** Calls under way go on; connections are not kept after them. */
  close(): void {
    this.#agent.destroy();
  }

  async #exchange(
    method: Method,
    url: URL,
    { body, requestId }: { body: unknown; requestId: string },
  ): Promise<{ status: number; text: string }> {
    const { clock, timeoutMs, token, userAgent } = this.#options;
    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(), timeoutMs);
    const payload = body === undefined ? '' : JSON.stringify(body);
    try {
      return await new Promise((resolve, reject) => {
        const send = url.protocol === 'https:' ? requestHttps : requestHttp;
        const request = send(url, {
          method,
          agent: this.#agent,
          signal: abort.signal,
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/json',
            'user-agent': userAgent,
            'x-request-id': requestId,
            ...(method === 'GET' ? {} : { 'content-length': Buffer.byteLength(payload) }),
            ...(payload === '' ? {} : { 'content-type': 'application/json' }),
          },
        });
        request.on('error', reject);
        request.on('response', (response) => {
          textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
        });
        request.end(payload);
      });
    } catch (cause) {
      const what = `${method} ${url.pathname}`;
      const isLate = abort.signal.aborted;
      throw quoting(
        requestId,
        isLate ? untimelyError(what, timeoutMs) : networkError(this.#options.url, cause),
      );
    } finally {
      clock.clearTimeout(timer);
    }
  }
}

/** As the cluster's programs make them: its logs are searched for it. */
function newRequestId(): string {
  return `req-${randomBytes(10).toString('hex')}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > longestReply) throw new Error(`the answer is longer than ${longestReply} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Priorities are 64 bit numbers, beyond what a JavaScript number can tell apart (CR-6), so they are made text. Inside a
 * JSON text a quotation mark has a backslash before it, so nothing but a key is found.
 */
function withWholePriorities(json: string): string {
  return json.replace(/(?<!\\)"priority"\s*:\s*(-?\d+)(?![\d.eE])/g, '"priority":"$1"');
}
