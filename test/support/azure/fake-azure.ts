import { createServer, type Server } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DocumentedReply } from '../../drivers/azure/documented-replies.js';
import { expiredToken } from '../../drivers/azure/documented-replies.js';
import { answerManager, type ManagerKnobs } from './resource-manager.js';
import { FakeResources, subscription } from './resources.js';
import type { ServerIdentity } from './self-signed.js';

export interface FakeRequest {
  method: string;
  /** Without the host. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

export interface FakeReply extends Omit<DocumentedReply, 'source' | 'text' | 'body'> {
  body?: unknown;
}

/** Says what a request gets instead of its answer; `silent`: nothing, ever. */
export type FakeFault = (request: FakeRequest) => FakeReply | 'silent' | 'cut' | undefined;

export const credentials = {
  tenantId: '99999999-8888-7777-6666-555555555555',
  clientId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  clientSecret: 'correct~horse.battery_staple-secret',
};

/** What a signed-in caller shows. */
export const token = 'token-that-nobody-may-see';

/** Azure's sign-in and resource manager on loopback, over TLS, with one resource group. */
export class FakeAzure {
  readonly resources = new FakeResources();
  readonly requests: FakeRequest[] = [];
  readonly knobs: ManagerKnobs = {
    operationMs: 20,
    listLagMs: 0,
    pageSize: 50,
    mostMachines: Number.POSITIVE_INFINITY,
    leaks: false,
    failsWith: undefined,
  };
  fault: FakeFault = () => undefined;
  isSignInRefused = false;
  /** Tokens given. */
  signIns = 0;
  /** The token that is given out and taken. */
  validToken = token;
  /** How long it is said to be good for. */
  tokenSeconds = 3_599;
  readonly #server: Server;
  #url = '';

  constructor({ key, cert }: ServerIdentity) {
    this.#server = createServer({ key, cert }, (request, response) => {
      void this.#answer(request).then((reply) => {
        if (reply === 'silent') return;
        if (reply === 'cut') return void response.destroy();
        const { status, headers = {}, body } = reply;
        response.writeHead(status, {
          'content-type': 'application/json',
          'x-ms-request-id': 'r-1',
          ...headers,
        });
        response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
      });
    });
  }

  static async start(identity: ServerIdentity): Promise<FakeAzure> {
    const fake = new FakeAzure(identity);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    fake.#url = `https://127.0.0.1:${(fake.#server.address() as AddressInfo).port}`;
    return fake;
  }

  get url(): string {
    return this.#url;
  }

  /** What the driver needs to reach this instead of Azure. */
  parameters(caFile: string): Record<string, unknown> {
    return {
      subscriptionId: subscription,
      ...credentials,
      resourceManagerEndpoint: this.#url,
      authorityHost: this.#url,
      caFile,
      resourceGroup: this.resources.group,
      network: 'net',
      subnet: 'subnet',
      operationPollInterval: '10ms',
    };
  }

  /** Requests that changed or read resources, as `METHOD path-tail`. */
  calls(method: string, part: string): FakeRequest[] {
    return this.requests.filter((each) => each.method === method && each.path.includes(part));
  }

  /** Takes a spot machine away as Azure does when it needs the room. */
  evict(name: string): void {
    const machine = this.resources.machines.get(name);
    if (machine?.properties.priority !== 'Spot') throw new Error(`${name} is no spot machine`);
    if (machine.properties.evictionPolicy !== 'Delete')
      throw new Error(`${name} would be kept, and paid for`);
    this.resources.removeMachine(name, this.knobs.leaks);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage): Promise<FakeReply | 'silent' | 'cut'> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return 'cut';
    }
    const { pathname: path, searchParams: query } = new URL(incoming.url ?? '/', this.#url);
    const { method = '', headers } = incoming;
    const request = { method, path, query, headers, body: Buffer.concat(chunks).toString() };
    if (!path.startsWith('/subscriptions/')) return this.#signIn(request);
    this.requests.push(request);
    const fault = this.fault(request);
    if (fault) return fault;
    if (headers.authorization !== `Bearer ${this.validToken}`) return expiredToken;
    return answerManager(request, this.resources, this.knobs, this.#url);
  }

  #signIn({ path, body }: FakeRequest): FakeReply {
    const authority = `${this.#url}/${credentials.tenantId}`;
    if (path.endsWith('/.well-known/openid-configuration')) {
      const endpoint = (name: string): string => `${authority}/oauth2/v2.0/${name}`;
      return {
        status: 200,
        body: {
          issuer: `${authority}/v2.0`,
          token_endpoint: endpoint('token'),
          authorization_endpoint: endpoint('authorize'),
          jwks_uri: `${authority}/discovery/v2.0/keys`,
        },
      };
    }
    const given = new URLSearchParams(body);
    if (this.isSignInRefused || given.get('client_secret') !== credentials.clientSecret) {
      return {
        status: 401,
        body: {
          error: 'invalid_client',
          error_description:
            'AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.',
          error_codes: [7_000_215],
          correlation_id: 'c-1',
        },
      };
    }
    this.signIns++;
    return {
      status: 200,
      body: {
        token_type: 'Bearer',
        expires_in: this.tokenSeconds,
        ext_expires_in: this.tokenSeconds,
        access_token: this.validToken,
      },
    };
  }
}
