import { createHash } from 'node:crypto';

const containerUuid = /^[a-z0-9]{5}-dz642-[a-z0-9]{15}$/;
const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';

/** True for a container id that is safe in a file name and on a command line (CR-9, K-26). */
export function isContainerUuid(text: string): boolean {
  return containerUuid.test(text);
}

/** A new container id from 15 or more random bytes. */
export function containerUuidFrom(clusterId: string, random: Uint8Array): string {
  const tail = Array.from(random.subarray(0, 15), (byte) => alphabet[byte % alphabet.length]).join('');
  return `${clusterId}-dz642-${tail}`;
}

/** The instance set id that a dispatcher token stands for (V-3). */
export function instanceSetIdOf(token: string): string {
  const fields = token.split('/');
  if (fields[0] === 'v2' && fields[1]) return fields[1];
  return createHash('md5').update(token).digest('hex');
}

const fingerprintPrefix = 'sha256:';

/** The fingerprint of an instance secret, which may be kept and shown where the secret itself may not. */
export function secretFingerprint(secret: string): string {
  return `${fingerprintPrefix}${createHash('sha256').update(secret).digest('hex')}`;
}

/** True for the fingerprint of a secret; false for a secret itself. */
export function isSecretFingerprint(tag: string): boolean {
  return tag.startsWith(fingerprintPrefix);
}

/** The fingerprint of the secret that a tag holds, as it is or as its fingerprint; `''` without one. */
export function fingerprintOfTag(tag: string): string {
  return tag === '' || isSecretFingerprint(tag) ? tag : secretFingerprint(tag);
}
