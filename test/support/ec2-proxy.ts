import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What stands in for EC2's reply; `silent`: none ever comes. */
export type Ec2Answer = { status: number; body: string; headers?: Record<string, string> } | 'silent';

/** One request in EC2's query protocol. */
export interface Ec2Request {
  action: string;
  parameters: URLSearchParams;
  /** Id of the access key that signed it. */
  accessKeyId: string;
  /** When that was, epoch ms. */
  signedAt: number;
}

export interface Ec2Proxy {
  url: string;
  /** Looks at each request first; `undefined` lets it through. */
  intercept: (request: Ec2Request) => Ec2Answer | undefined | Promise<Ec2Answer | undefined>;
  /** All that came, in order. */
  requests: Ec2Request[];
  /** Called with each request for instances that succeeded, and its reply; the reply that is given on. */
  onReply: (request: Ec2Request, body: string) => string | Promise<string>;
  /** What of a request goes on to the emulator. */
  rewrite: (body: string) => string;
  /** Instances that may live at once. */
  maxInstances: number;
  /** Ids of those that were made through here and not destroyed. */
  living: Set<string>;
  close(): Promise<void>;
}

const requestId = 'ea966190-f9aa-478e-9ede-example';

/** An error as EC2 documents it: "API error response" in the Amazon EC2 Developer Guide. */
export function ec2Error(status: number, code: string, message: string, headers = {}): Ec2Answer {
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors>` +
    `<RequestID>${requestId}</RequestID></Response>`;
  return { status, body, headers: { 'x-amzn-requestid': requestId, ...headers } };
}

const quotaError = ec2Error(
  400,
  'InstanceLimitExceeded',
  'You have requested more instances than your current instance limit allows for the specified instance type.',
);

/**
 * Between a driver and an emulator of EC2: puts faults in, and adds what the emulator leaves out, `ClientToken` (a known
 * one gets the reply it had, RunInstances in the Amazon EC2 API Reference), `MaxCount` (as many as there is room for,
 * there), a limit of instances, and that destroying twice succeeds (TerminateInstances there).
 * `upstream` `undefined`: whatever is not intercepted fails.
 */
export async function startEc2Proxy(upstream?: string): Promise<Ec2Proxy> {
  const told = new Map<string, Promise<Ec2Answer>>();
  const proxy: Ec2Proxy = {
    url: '',
    intercept: () => undefined,
    requests: [],
    onReply: (_request, body) => body,
    rewrite: (body) => body,
    maxInstances: Number.POSITIVE_INFINITY,
    living: new Set(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const forward = async (
    request: Ec2Request,
    incoming: IncomingMessage,
    body: string,
  ): Promise<Ec2Answer> => {
    if (upstream === undefined) throw new Error(`nothing answers ${request.action}`);
    const headers = {
      'content-type': incoming.headers['content-type'] ?? '',
      authorization: incoming.headers.authorization ?? '',
    };
    const reply = await fetch(upstream, { method: 'POST', headers, body: proxy.rewrite(withRoom(body)) });
    const said = await reply.text();
    if (reply.status === 200) note(proxy.living, ended, request, said);
    const given = reply.status === 200 ? await proxy.onReply(request, said) : said;
    return { status: reply.status, body: given, headers: { 'content-type': 'text/xml' } };
  };
  const answerOf = async (incoming: IncomingMessage): Promise<Ec2Answer> => {
    const body = await text(incoming);
    const parameters = new URLSearchParams(body);
    const accessKeyId = /Credential=([^/]+)/.exec(incoming.headers.authorization ?? '')?.[1] ?? '';
    const signedAt = timeOf(String(incoming.headers['x-amz-date'] ?? ''));
    const request = { action: parameters.get('Action') ?? '', parameters, accessKeyId, signedAt };
    proxy.requests.push(request);
    const intercepted = await proxy.intercept(request);
    if (intercepted) return intercepted;
    if (request.action === 'TerminateInstances') {
      const answer = turn.then(() =>
        ended.has(idOf(request)) ? again(request) : forward(request, incoming, body),
      );
      turn = answer.catch(() => {});
      return answer;
    }
    if (request.action !== 'RunInstances') return forward(request, incoming, body);
    const token = parameters.get('ClientToken') ?? '';
    const known = told.get(token);
    if (known) return known;
    if (proxy.living.size + told.size - settled >= proxy.maxInstances) return quotaError;
    const answer = forward(request, incoming, body);
    told.set(token, answer);
    void answer.then(
      (reply) => {
        settled++;
        if (reply !== 'silent' && reply.status === 200) return;
        told.delete(token);
        settled--;
      },
      () => told.delete(token),
    );
    return answer;
  };
  let settled = 0;
  const ended = new Set<string>();
  let turn: Promise<unknown> = Promise.resolve();
  const server = createServer((incoming, response) => {
    answerOf(incoming).then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, ec2Error(500, 'InternalError', String(error))),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}

/** The emulator makes `MinCount` instances and knows of no `MaxCount`. */
function withRoom(body: string): string {
  const most = new URLSearchParams(body).get('MaxCount');
  return most === null ? body : body.replace(/\bMinCount=\d+/, `MinCount=${most}`);
}

function note(living: Set<string>, ended: Set<string>, request: Ec2Request, reply: string): void {
  if (request.action === 'RunInstances') {
    for (const [, id] of reply.matchAll(/<instanceId>(i-[0-9a-f]+)<\/instanceId>/g)) living.add(id!);
  } else if (request.action === 'TerminateInstances') {
    living.delete(idOf(request));
    ended.add(idOf(request));
  }
}

/** As in `20261121T170000Z`; NaN for anything else. */
function timeOf(text: string): number {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)?.slice(1) ?? [];
  const [year = NaN, month = NaN, ...rest] = parts.map(Number);
  return Date.UTC(year, month - 1, ...rest);
}

/** The driver names one instance in each request that destroys. */
function idOf({ parameters }: Ec2Request): string {
  return parameters.get('InstanceId.1') ?? '';
}

/** What EC2 says when an instance is destroyed once more. */
function again(request: Ec2Request): Ec2Answer {
  const state = '<code>48</code><name>terminated</name>';
  const body =
    '<TerminateInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><instancesSet><item>' +
    `<instanceId>${idOf(request)}</instanceId><currentState>${state}</currentState>` +
    `<previousState>${state}</previousState></item></instancesSet></TerminateInstancesResponse>`;
  return { status: 200, body };
}

function send(response: ServerResponse, answer: Ec2Answer): void {
  if (answer === 'silent') return;
  response.writeHead(answer.status, { 'content-type': 'text/xml;charset=UTF-8', ...answer.headers });
  response.end(answer.body);
}
