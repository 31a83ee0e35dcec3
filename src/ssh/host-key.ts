import { createHash } from 'node:crypto';
import type { HostKey } from '../domain/host-key.js';

/** The signature algorithms of each type of key that ssh2 verifies, in its own order of preference. */
const algorithmsByType: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
};
const longestType = 64;

/** Returns type and fingerprint of a raw public key. */
export function hostKeyOf(key: Uint8Array): HostKey {
  return { type: typeOf(Buffer.from(key)), fingerprint: fingerprintOf(key) };
}

/** Returns the fingerprint as OpenSSH shows it. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/**
 * Returns the host key algorithms to offer to a server. Those of the given type come first, so that a host with several
 * keys shows the same one each time (RFC 4253, section 7.1: the client's order decides).
 */
export function hostKeyAlgorithms(type: string): string[] {
  const first = algorithmsByType[type] ?? [];
  const all = Object.values(algorithmsByType).flat();
  return [...first, ...all.filter((each) => !first.includes(each))];
}

/** The first field of the key (RFC 4253, section 6.6); `''` when the bytes are no key. */
function typeOf(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  if (length > longestType || length + 4 > key.length) return '';
  const type = key.toString('latin1', 4, 4 + length);
  return /^[\w.@-]+$/.test(type) ? type : '';
}
