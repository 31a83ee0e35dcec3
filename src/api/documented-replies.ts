/** The properties of a route that determine its statuses. */
export interface RouteFacts {
  method: string;
  url: string;
  isPublic: boolean;
  /** Its path contains an id. */
  takesId: boolean;
}

type Reply = { description: string; content?: object; headers?: object; type?: 'null' };

const errorBody = {
  type: 'object',
  required: ['errors'],
  properties: { errors: { type: 'array', items: { type: 'string' } } },
};
const plain = { 'text/plain': { schema: { type: 'string' } } };
const errorContent = { 'application/json': { schema: errorBody } };
const json: Reply = {
  description: 'Success, with details.',
  content: { 'application/json': { schema: {} } },
};
const empty: Reply = { description: 'Done.', type: 'null' };

const error = (description: string): Reply => ({ description, content: errorContent });
/** Like {@link error}, or plain text where the reference sends plain text (H-2). */
const refusal = (description: string): Reply => ({ description, content: { ...errorContent, ...plain } });

const ofEveryRoute: Readonly<Record<number, Reply>> = {
  400: refusal('The request is malformed, or a value is invalid: the text names it.'),
  405: {
    ...error('The path accepts other methods.'),
    headers: { allow: { type: 'string', description: 'The accepted methods.' } },
  },
  408: error('The request did not arrive in time.'),
  429: {
    ...refusal('Too many requests or wrong tokens from this address.'),
    headers: { 'retry-after': { type: 'integer', description: 'Seconds.' } },
  },
  431: error('The head of the request is too large.'),
  500: error('An error of the daemon; its log has the cause.'),
  503: error('The store does not respond, an instance is unreachable, or another daemon leads.'),
};
const ofProtectedRoutes: Readonly<Record<number, Reply>> = {
  401: refusal('The request carries no token.'),
  403: refusal('The token is wrong, or another site may have caused the request.'),
};
const ofChanges: Readonly<Record<number, Reply>> = {
  413: error('The body is too large.'),
  415: error('The media type of the body is not supported.'),
};
const missing: Readonly<Record<number, Reply>> = { 404: error('The id does not exist.') };
const conflict: Readonly<Record<number, Reply>> = {
  409: error('The current state does not allow this.'),
};
const unsupported: Readonly<Record<number, Reply>> = {
  501: error('The queue of this daemon does not support this.'),
};

const media = (type: string): Reply => ({
  description: 'A stream.',
  content: { [type]: { schema: { type: 'string' } } },
});
const root = '/arvados/v1/dispatch';

/** Routes whose responses differ from 200 with JSON, or that have more statuses than their kind. */
const particular: Readonly<Record<string, Readonly<Record<number, Reply>>>> = {
  'POST /v1/containers': {
    201: { ...json, description: 'Acknowledged: durable.' },
    ...conflict,
    ...unsupported,
  },
  'GET /v1/containers': { 200: json, ...unsupported },
  'GET /v1/containers/:uuid': { 200: json, ...unsupported },
  'GET /v1/containers/:uuid/request': { 200: json, ...unsupported },
  'PATCH /v1/containers/:uuid': { 200: json, ...conflict, ...unsupported },
  'POST /v1/containers/:uuid/cancel': { 200: json, ...conflict, ...unsupported },
  'GET /v1/containers/:uuid/logs': { 200: media('text/plain'), ...unsupported },
  'POST /v1/instances/:id/clear-quarantine': { 200: json, ...conflict },
  'POST /v1/instances/:id/accept-host-key': { 200: json, ...conflict },
  'POST /v1/breakers/reset': { 200: json, ...missing },
  'GET /v1/journal/export': { 200: media('application/x-ndjson') },
  'GET /v1/events': { 200: media('text/event-stream') },
  'GET /v1/instances/:id/events': { 200: media('text/event-stream') },
  'POST /v1/login': { 200: json, 403: error('This is not the management token.') },
  'POST /v1/logout': { 204: empty },
  'GET /metrics': { 200: media('text/plain') },
  [`GET ${root}/container`]: { 200: json, ...missing },
  [`POST ${root}/containers/kill`]: { 200: empty, ...missing },
  ...Object.fromEntries(
    ['hold', 'drain', 'run', 'kill'].map((order) => [
      `POST ${root}/instances/${order}`,
      { 200: empty, ...missing },
    ]),
  ),
};

/** Returns every status of the route, as OpenAPI describes it. */
export function repliesOf({ method, url, isPublic, takesId }: RouteFacts): Readonly<Record<number, Reply>> {
  return {
    ...ofEveryRoute,
    ...(isPublic ? {} : ofProtectedRoutes),
    ...(method === 'GET' ? {} : ofChanges),
    ...(takesId ? missing : {}),
    ...(particular[`${method} ${url}`] ?? { 200: json }),
  };
}
