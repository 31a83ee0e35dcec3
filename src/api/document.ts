import swagger from '@fastify/swagger';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { repliesOf, type RouteFacts } from './documented-replies.js';
import { documentedQuery } from './documented-query.js';
import { sessionCookie } from './session.js';

/** Any one of these opens a route (H-2). */
const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'The management token.' },
  basic: { type: 'http', scheme: 'basic', description: 'The management token as the password of any user.' },
  query: { type: 'apiKey', in: 'query', name: 'api_token', description: 'The management token.' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: sessionCookie,
    description: 'The login of a page; changes need the header X-Longshore-Page as well.',
  },
} as const;

/**
 * Describes every route that is added from now on as OpenAPI 3.1, at `/docs/json`: what its own schema says, how to log
 * in, and every status that it can answer.
 */
export async function addDocument(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Longshore', version },
      components: { securitySchemes },
      security: Object.keys(securitySchemes).map((name) => ({ [name]: [] })),
    },
    transform: (input) => {
      const { schema, url } = jsonSchemaTransform(input);
      return { url, schema: { ...schema, ...additionsTo(input.route, schema ?? {}) } };
    },
  });
}

interface RequestParts {
  body?: unknown;
  querystring?: unknown;
  params?: unknown;
}

function additionsTo(route: RouteOptions, { body, querystring, params }: RequestParts): object {
  const method = String(route.method);
  const isPublic = route.config?.isPublic === true;
  const isPage = isPublic && !route.url.startsWith('/v1/');
  if (isPage || method.includes('HEAD')) return { hide: true };
  const query = documentedQuery[`${method} ${route.url}`];
  const facts: RouteFacts = { method, url: route.url, isPublic, takesId: params !== undefined };
  return {
    response: repliesOf(facts),
    ...(querystring === undefined && query ? { querystring: query } : {}),
    ...(body === undefined ? {} : { consumes: ['application/json'] }),
    ...(isPublic ? { security: [] } : {}),
  };
}
