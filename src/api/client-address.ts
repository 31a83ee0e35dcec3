import { isIPv6 } from 'node:net';

/** Returns the key under which a client is counted: its IPv4 address, or the /64 network of its IPv6 address. */
export function clientGroup(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%')[0]!.split('::');
  const before = head.split(':').filter(Boolean);
  if (tail === undefined) return `${before.slice(0, 4).join(':')}::/64`;
  const after = tail.split(':').filter(Boolean);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`;
}
