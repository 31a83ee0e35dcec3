import swagger from '@fastify/swagger';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { repliesOf, type RouteFacts } from './documented-replies.js';
import { documentedQuery } from './documented-query.js';
import { sessionCookie } from './session.js';

/** Each of these alone authenticates a request (H-2). */
const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'The management token.' },
  basic: { type: 'http', scheme: 'basic', description: 'The management token as the password of any user.' },
  query: { type: 'apiKey', in: 'query', name: 'api_token', description: 'The management token.' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: sessionCookie,
    description: 'The login session of a page; changes also need the header X-Longshore-Page.',
  },
} as const;

/**
 * Documents every route that is added from now on as OpenAPI 3.1, at `/docs/json`: its own schema, the authentication,
 * and every status that it can return.
 */
export async function addDocument(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Longshore', version },
      components: { securitySchemes },
      security: Object.keys(securitySchemes).map((name) => ({ [name]: [] })),
    },
    transformObject: (document) => {
      if ('openapiObject' in document) allowMissingBodies(document.openapiObject.paths ?? {});
      return 'openapiObject' in document ? document.openapiObject : document.swaggerObject;
    },
    transform: (input) => {
      const { schema, url } = jsonSchemaTransform(input);
      return { url, schema: { ...schema, ...additionsTo(input.route, (schema ?? {}) as RequestParts) } };
    },
  });
}

/** Makes a nullable body optional. */
function allowMissingBodies(paths: object): void {
  const operations = Object.values(paths).flatMap((each: Record<string, Operation>) => Object.values(each));
  for (const { requestBody } of operations) {
    const alternatives = requestBody?.content?.['application/json']?.schema?.anyOf ?? [];
    if (requestBody && alternatives.some(({ type }) => type === 'null')) requestBody.required = false;
  }
}

interface Operation {
  requestBody?: {
    required?: boolean;
    content?: Record<string, { schema?: { anyOf?: { type?: string }[] } }>;
  };
}

/** Excludes zero bytes from every text of a request target. */
function forbidNul(parameters: Parameters | undefined): void {
  for (const property of Object.values(parameters?.properties ?? {})) {
    if (property.type === 'string' && !property.enum) property.pattern ??= '^[^\\u0000]*$';
  }
}

interface Parameters {
  properties?: Record<string, { type?: string; enum?: unknown; pattern?: string }>;
}

interface RequestParts {
  body?: unknown;
  querystring?: Parameters;
  params?: Parameters;
}

function additionsTo(route: RouteOptions, { body, querystring, params }: RequestParts): object {
  const method = String(route.method);
  const isPublic = route.config?.isPublic === true;
  const isPage = isPublic && !route.url.startsWith('/v1/');
  if (isPage || method.includes('HEAD')) return { hide: true };
  for (const each of [querystring, params]) forbidNul(each);
  const query = documentedQuery[`${method} ${route.url}`];
  const facts: RouteFacts = { method, url: route.url, isPublic, takesId: params !== undefined };
  return {
    response: repliesOf(facts),
    ...(querystring === undefined && query ? { querystring: query } : {}),
    ...(body === undefined ? {} : { consumes: ['application/json'] }),
    ...(isPublic ? { security: [] } : {}),
  };
}
