import {
  createServer as createHttp,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A container as the controller keeps it; only what the dispatcher and its runner look at. */
export interface FakeContainer {
  uuid: string;
  state: string;
  /** Sent as a number of 64 bits. */
  priority: bigint;
  runtime_constraints: Record<string, unknown>;
  container_image: string;
  scheduling_parameters: Record<string, unknown>;
  created_at: string;
  mounts: unknown;
  locked_by_uuid: string | null;
  lock_count: number;
  runtime_status: Record<string, unknown>;
}

export interface FakeRequest {
  method: string;
  /** Behind `/arvados/v1/`. */
  path: string;
  query: Record<string, string>;
  body: unknown;
  headers: IncomingHttpHeaders;
}

/**
 * What goes wrong with a request. `network`: the connection breaks before it is dealt with; `lost`: after; `slow`: it is
 * dealt with, and the answer waits until `release`; `text`: the answer is no JSON.
 */
export type Fault = number | 'network' | 'lost' | 'slow' | 'text';

export const tokenUuid = 'zzzzz-gj3su-077z32aux8dg2s1';
export const controllerToken = 'v2/zzzzz-gj3su-077z32aux8dg2s1/the-system-root-token';

const transitions: Readonly<Record<string, readonly string[]>> = {
  Queued: ['Queued', 'Locked', 'Cancelled'],
  Locked: ['Queued', 'Locked', 'Running', 'Cancelled'],
  Running: ['Running', 'Complete', 'Cancelled'],
  Complete: ['Cancelled'],
  Cancelled: [],
};

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The part of a controller's API that a dispatcher and its runners use, as the specification has it, on loopback. */
export class FakeController {
  readonly containers = new Map<string, FakeContainer>();
  readonly requests: FakeRequest[] = [];
  /** Each state a container went through, in order. */
  readonly history = new Map<string, string[]>();
  /** Records of one answer at most. */
  pageLimit = 1_000;
  /** Tokens live in the cluster whose id begins this. */
  tokenUuid = tokenUuid;
  /** 0: no limit (CR-15). */
  maxDispatchAttempts = 0;
  fault: (request: FakeRequest) => Fault | undefined = () => undefined;
  /** Records that a page has beyond what was asked for. */
  extra: (query: Record<string, string>) => FakeContainer[] = () => [];
  /** Called before each answer is made. */
  onRequest: (request: FakeRequest) => void = () => {};
  readonly #server: Server;
  readonly #scheme: string;
  #held: (() => void)[] = [];

  private constructor(tls: { key: string; cert: string } | undefined) {
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(request, response);
    this.#scheme = tls ? 'https' : 'http';
    this.#server = tls ? createHttps(tls, serve) : createHttp(serve);
  }

  static async start(tls?: { key: string; cert: string }): Promise<FakeController> {
    const controller = new FakeController(tls);
    await new Promise<void>((resolve) => controller.#server.listen(0, '127.0.0.1', resolve));
    return controller;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Lets slow answers go. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  get held(): number {
    return this.#held.length;
  }

  add(n: number, change: Partial<FakeContainer> = {}): FakeContainer {
    const container: FakeContainer = {
      uuid: uuidOf(n),
      state: 'Queued',
      priority: BigInt(n),
      runtime_constraints: { vcpus: 1, ram: 2 ** 20, keep_cache_ram: 0, keep_cache_disk: 0, API: true },
      container_image: '',
      scheduling_parameters: { preemptible: false, supervisor: false, max_run_time: 0, partitions: [] },
      created_at: '2026-01-02T03:04:05.678901000Z',
      mounts: { '/tmp': { kind: 'tmp', capacity: 1_000 } },
      locked_by_uuid: null,
      lock_count: 0,
      runtime_status: {},
      ...change,
    };
    this.containers.set(container.uuid, container);
    this.history.set(container.uuid, [container.state]);
    return container;
  }

  /** The queries of list calls that have this text in their filters. */
  lists(text: string): Record<string, string>[] {
    return this.requests
      .filter(
        ({ method, path, query }) =>
          method === 'GET' && path === 'containers' && query['filters']?.includes(text),
      )
      .map(({ query }) => query);
  }

  /** What was changed of the container, as "POST lock" or "PUT {…}". */
  changes(uuid: string): string[] {
    return this.requests.flatMap(({ method, path, body }) => {
      if (method === 'GET' || !path.startsWith(`containers/${uuid}`)) return [];
      const [, , verb] = path.split('/');
      return [
        verb
          ? `${method} ${verb}`
          : `${method} ${JSON.stringify((body as { container: unknown }).container)}`,
      ];
    });
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(incoming.url!, this.url);
    const request: FakeRequest = {
      method: incoming.method!,
      path: url.pathname.replace('/arvados/v1/', ''),
      query: Object.fromEntries(url.searchParams),
      body: text === '' ? undefined : JSON.parse(text),
      headers: incoming.headers,
    };
    this.requests.push(request);
    this.onRequest(request);
    const fault = this.fault(request);
    if (fault === 'network') return void incoming.socket.destroy();
    if (typeof fault === 'number') return answer(response, fault, { errors: ['it was told to fail'] });
    let reply: { status: number; body: unknown };
    try {
      if (incoming.headers.authorization !== `Bearer ${controllerToken}`)
        throw new Refusal(401, 'Not logged in');
      reply = { status: 200, body: this.#handle(request) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      reply = { status: error.status, body: { errors: [error.message], error_token: 'x' } };
    }
    if (fault === 'lost') return void incoming.socket.destroy();
    if (fault === 'slow') await new Promise<void>((resolve) => this.#held.push(resolve));
    if (fault === 'text') return void response.end('<html>a page of somebody in between</html>');
    answer(response, reply.status, reply.body);
  }

  #handle({ method, path, query, body }: FakeRequest): unknown {
    if (path === 'api_client_authorizations/current') return { uuid: this.tokenUuid };
    if (path === 'containers') return this.#list(query);
    const [, uuid = '', verb] = path.split('/');
    const container = this.containers.get(uuid);
    if (!container) throw new Refusal(404, 'Path not found');
    if (method === 'GET') return selected(container, query['select']);
    if (verb === 'lock') return this.#lock(container);
    if (verb === 'unlock') return this.#unlock(container);
    const { container: change } = body as { container: Partial<FakeContainer> };
    if (change.runtime_status && container.locked_by_uuid === null)
      throw new Refusal(403, 'only who holds the lock may write runtime_status');
    if (change.state !== undefined) this.#move(container, change.state);
    if (change.runtime_status) container.runtime_status = change.runtime_status;
    return container;
  }

  #lock(container: FakeContainer): FakeContainer {
    if (container.state !== 'Queued') throw new Refusal(422, `cannot lock when ${container.state}`);
    if (container.priority < 1n) throw new Refusal(422, 'cannot lock when priority<=0');
    this.#move(container, 'Locked');
    container.lock_count++;
    return container;
  }

  #unlock(container: FakeContainer): FakeContainer {
    if (container.state !== 'Locked') throw new Refusal(422, `cannot unlock when ${container.state}`);
    const isSpent = this.maxDispatchAttempts > 0 && container.lock_count >= this.maxDispatchAttempts;
    this.#move(container, isSpent ? 'Cancelled' : 'Queued');
    if (isSpent) container.runtime_status = { error: `failed to start after ${container.lock_count} tries` };
    return container;
  }

  #move(container: FakeContainer, state: string): void {
    if (!transitions[container.state]?.includes(state))
      throw new Refusal(422, `State cannot change from ${container.state} to ${state}`);
    if (container.state !== state) this.history.get(container.uuid)!.push(state);
    container.state = state;
    const isHeld = state === 'Locked' || state === 'Running';
    container.locked_by_uuid = isHeld ? (container.locked_by_uuid ?? tokenUuid) : null;
  }

  #list(query: Record<string, string>): unknown {
    const { filters = '[]', order = 'uuid', limit = '100', offset = '0', select } = query;
    const matches = [...this.containers.values()].filter((container) =>
      (JSON.parse(filters) as [string, string, unknown][]).every((filter) => isMatch(container, filter)),
    );
    matches.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    if (order === 'priority desc') matches.sort((a, b) => (a.priority > b.priority ? -1 : 1));
    const size = Math.min(Number(limit), this.pageLimit);
    const items = matches.slice(Number(offset), Number(offset) + size);
    return {
      kind: 'arvados#containerList',
      items: [...items, ...this.extra(query)].map((each) => selected(each, select)),
    };
  }
}

export function uuidOf(n: number): string {
  return `zzzzz-dz642-${String(n).padStart(15, '0')}`;
}

function isMatch(container: FakeContainer, [field, operator, operand]: [string, string, unknown]): boolean {
  const value = container[field as keyof FakeContainer];
  switch (operator) {
    case '=':
      return value === operand;
    case 'in':
      return (operand as unknown[]).includes(value);
    case '>':
      return typeof value === 'bigint' ? value > BigInt(operand as string) : String(value) > String(operand);
    default:
      throw new Refusal(422, `operator "${operator}" is not known`);
  }
}

function selected(container: FakeContainer, select: string | undefined): unknown {
  if (select === undefined) return container;
  const fields = JSON.parse(select) as (keyof FakeContainer)[];
  return Object.fromEntries(fields.map((field) => [field, container[field]]));
}

/** Numbers of 64 bits are written as such. */
function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body, (_key, value: unknown) =>
    typeof value === 'bigint' ? `whole ${value}` : value,
  ).replace(/"whole (-?\d+)"/g, '$1');
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
