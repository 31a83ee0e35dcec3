import type { FastifyRequest } from 'fastify';
import { pageHeader } from './session.js';

/** Header in which the command line names its user. Unverified: whoever has the management token is trusted. */
export const actorHeader = 'x-longshore-actor';

const loopback = /^(127\.|::1$|::ffff:127\.)/;

/** Returns requester and reason of an operator command, for the journal. */
export function orderedBy(request: FastifyRequest, reason: string): string {
  return `${whoAsks(request)}: ${reason.trim() || 'no reason given'}`;
}

function whoAsks({ headers, ip }: FastifyRequest): string {
  const where = loopback.test(ip) ? '' : ` from ${ip}`;
  const actor = headers[actorHeader];
  if (typeof actor === 'string') {
    const name = actor.replace(/[^\w.@+-]/g, '').slice(0, 100);
    if (name !== '') return `${name} by the command line${where}`;
  }
  if (headers[pageHeader] !== undefined) return `an operator at the page${where}`;
  return `an operator over the API${where}`;
}
