import ssh2 from 'ssh2';

/** A fresh Ed25519 key pair in OpenSSH text form. */
export interface KeyPair {
  privateKey: string;
  /** One line: type, base64, comment. */
  publicKey: string;
}

/** The text is not a private key that SSH can use. */
export class KeyError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'KeyError';
  }
}

/** Some of the keys ssh2 1.17 makes it cannot read itself, about one in two hundred: those are made again. */
export function generateKeyPair(comment = 'longshore'): KeyPair {
  for (;;) {
    const keys = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    const isReadable = [keys.private, keys.public].every(
      (text) => !(ssh2.utils.parseKey(text) instanceof Error),
    );
    if (isReadable) return { privateKey: keys.private, publicKey: keys.public };
  }
}

/** The public half in OpenSSH text form. Throws {@link KeyError}. */
export function publicKeyOf(privateKey: string): string {
  const parsed = parseKey(privateKey);
  return `${parsed.type} ${parsed.getPublicSSH().toString('base64')} longshore`;
}

/** The raw public key of a private one, as a host key verifier sees it. Throws {@link KeyError}. */
export function rawPublicKeyOf(privateKey: string): Buffer {
  return parseKey(privateKey).getPublicSSH();
}

function parseKey(text: string): ssh2.ParsedKey {
  const parsed = ssh2.utils.parseKey(text);
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ssh2.ParsedKey | Error | undefined;
  if (!key || key instanceof Error || !key.isPrivateKey()) {
    throw new KeyError('the private key cannot be read: give the OpenSSH or PEM text of an unencrypted key', {
      cause: key instanceof Error ? key : undefined,
    });
  }
  return key;
}
