import { createHash, createPublicKey } from 'node:crypto';
import ssh2 from 'ssh2';
import { DriverError } from '../driver.js';

/**
 * The two forms in which EC2 may name a public key (EC-31): MD5 and SHA-1 of an RSA key's DER form; SHA-256 with and
 * without padding for others. Throws {@link DriverError} `invalid` for a text that is no key.
 */
export function keyFingerprints(publicKey: string): [string, string] {
  const parsed = ssh2.utils.parseKey(publicKey);
  if (parsed instanceof Error) throw new DriverError('invalid', 'the public key to install cannot be read');
  if (parsed.type !== 'ssh-rsa') {
    const sha256 = createHash('sha256').update(parsed.getPublicSSH()).digest('base64');
    return [`SHA256:${sha256}`, `SHA256:${sha256.replace(/=+$/, '')}`];
  }
  const der = createPublicKey(parsed.getPublicPEM()).export({ type: 'spki', format: 'der' });
  return [
    colons(createHash('md5').update(der).digest('hex')),
    colons(createHash('sha1').update(der).digest('hex')),
  ];
}

function colons(hex: string): string {
  return hex.match(/../g)!.join(':');
}
