import { expect, it } from 'vitest';
import ssh2 from 'ssh2';
import { generateKeyPair, KeyError, publicKeyOf, rawPublicKeyOf } from '../../src/ssh/keys.js';

it('makes keys that can be read, every time', () => {
  for (let each = 0; each < 1_000; each++) {
    const { privateKey, publicKey } = generateKeyPair();
    const parsed = ssh2.utils.parseKey(publicKey);
    expect(parsed).not.toBeInstanceOf(Error);
    expect(rawPublicKeyOf(privateKey).equals((parsed as ssh2.ParsedKey).getPublicSSH())).toBe(true);
  }
});

it('says what is wrong with a text that is no private key', () => {
  expect(() => publicKeyOf('nonsense')).toThrow(KeyError);
  expect(() => publicKeyOf(generateKeyPair().publicKey)).toThrow('unencrypted key');
});
