import { ExecutorError } from './executor.js';

/** Service names an operator may give in place of a port. */
const services: Readonly<Record<string, number>> = { ssh: 22 };

export interface HostAndPort {
  host: string;
  port: number;
}

/**
 * Splits `host`, `host:port`, `[v6]:port` or a bare IPv6 address. Throws `no-address` for an empty one and
 * `refused` for a port that is none.
 */
export function parseAddress(address: string, defaultPort: string): HostAndPort {
  if (address === '') throw new ExecutorError('no-address', 'instance has no address');
  const bracketed = /^\[([^\]]+)\](?::(.+))?$/.exec(address);
  if (bracketed) return { host: bracketed[1]!, port: parsePort(bracketed[2] ?? defaultPort) };
  const colons = address.split(':').length - 1;
  if (colons !== 1) return { host: address, port: parsePort(defaultPort) };
  const [host, port] = address.split(':') as [string, string];
  return { host, port: parsePort(port === '' ? defaultPort : port) };
}

function parsePort(text: string): number {
  const port = services[text === '' ? 'ssh' : text] ?? Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new ExecutorError('refused', `"${text}" is no port: give a number from 1 to 65535, or ssh`);
}
