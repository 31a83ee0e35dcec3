import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { WebSocket } from 'ws';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load.js';
import { madeManagementToken } from '../config/secrets.js';

/** An error between this command and the daemon; the help of the program lists the values of `exitCode`. */
export class ClientError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'ClientError';
    this.exitCode = exitCode;
  }
}

export interface Connection {
  url: string;
  token: string;
}

export interface ConnectionOptions {
  url?: string;
  tokenFile?: string;
  config?: string;
}

/** Finds the daemon and the token from options, environment or configuration. Throws {@link ClientError}. */
export function findDaemon(options: ConnectionOptions, env: NodeJS.ProcessEnv): Connection {
  const path = options.config ?? env['LONGSHORE_CONFIG'];
  const given = options.tokenFile ? tokenIn(options.tokenFile) : env['LONGSHORE_TOKEN'];
  // Reads no other secret of the daemon, and this one only when no token is given.
  const secrets = given === undefined ? (['managementToken'] as const) : [];
  const config = path === undefined ? undefined : loadConfig(path, env, secrets);
  const token = given ?? (config ? tokenOf(config) : '');
  const url = options.url ?? env['LONGSHORE_URL'] ?? (config && addressOf(config.stateDir, config.api));
  if (url === undefined) {
    throw new ClientError('no daemon given: use --config FILE, --url URL or LONGSHORE_URL', 2);
  }
  return { url: url.replace(/\/$/, ''), token };
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ClientError(`cannot read --token-file ${file} (${code}): correct its path or mode`, 2, {
      cause,
    });
  }
}

/** Returns the token of the configuration, or the one that the daemon generated. */
function tokenOf(config: Config): string {
  return config.makesManagementToken ? madeManagementToken(config) : config.managementToken;
}

function addressOf(stateDir: string, api: { listen: string; tlsCertFile: string }): string {
  const path = join(stateDir, 'api-address');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // The system assigned the port, so only the file has it.
    if (code !== 'ENOENT' && api.listen.endsWith(':0')) {
      throw new ClientError(`cannot read ${path} (${code}): use --url with the daemon’s address`, 2, {
        cause,
      });
    }
  }
  return `${api.tlsCertFile === '' ? 'http' : 'https'}://${api.listen}`;
}

const replyTimeoutMs = 60_000;

/** A client of a daemon's API. */
export class Client {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get<T>(path: string): Promise<T> {
    return this.#json<T>('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#json<T>('POST', path, body);
  }

  /** Yields the text of a response as it arrives. */
  async *stream(path: string, signal?: AbortSignal): AsyncGenerator<string> {
    const response = await this.#fetch('GET', path, undefined, signal);
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? [])
        yield decoder.decode(chunk as Uint8Array, { stream: true });
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw new ClientError('connection to the daemon lost; the output is incomplete', 1, { cause });
    }
  }

  /** Opens a web socket to the daemon. Rejects with {@link ClientError}. */
  async socket(path: string): Promise<WebSocket> {
    const { url, token } = this.#connection;
    const { WebSocket: Socket } = await import('ws');
    const headers = { authorization: `Bearer ${token}`, 'x-longshore-actor': actor() };
    const options = { headers, handshakeTimeout: replyTimeoutMs };
    const socket = new Socket(url.replace(/^http/, 'ws') + path, options);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(socket));
      socket.once('error', (cause) => reject(unanswered(url, cause)));
      socket.once('unexpected-response', (_request, response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          reject(refusalOf(response.statusCode ?? 0, Buffer.concat(chunks).toString())),
        );
      });
    });
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#fetch(method, path, body, AbortSignal.timeout(replyTimeoutMs));
    let text: string;
    try {
      text = await response.text();
    } catch (cause) {
      throw new ClientError('connection to the daemon lost before the response was complete', 3, {
        cause,
      });
    }
    return (text === '' ? {} : JSON.parse(text)) as T;
  }

  async #fetch(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const { url, token } = this.#connection;
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      'x-longshore-actor': actor(),
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    let response: Response;
    try {
      const text = body === undefined ? undefined : JSON.stringify(body);
      response = await fetch(`${url}${path}`, { method, headers, signal, body: text });
    } catch (cause) {
      throw unanswered(url, cause);
    }
    if (response.ok) return response;
    throw refusalOf(response.status, await response.text());
  }
}

/** Returns the requester of a command, for the journal. */
function actor(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // The user has no entry in the password file.
    return `uid-${process.getuid?.() ?? 'unknown'}@${hostname()}`;
  }
}

function unanswered(url: string, cause: unknown): ClientError {
  return new ClientError(`no daemon answers at ${url}: is "longshore serve" running there?`, 3, { cause });
}

function refusalOf(status: number, body: string): ClientError {
  const text = body.trim();
  if (status === 401 || status === 403) {
    const why = status === 401 ? 'it requires a management token' : text;
    return new ClientError(`the daemon refused: ${why}; set LONGSHORE_TOKEN or --token-file`, 4);
  }
  let message = text;
  try {
    message = (JSON.parse(text) as { errors?: string[] }).errors?.join('\n') ?? text;
  } catch {
    // Not JSON: the text itself is all there is.
  }
  return new ClientError(message || `the daemon answered ${status}`, 1);
}
