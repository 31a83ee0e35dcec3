import { DescribeKeyPairsCommand, ImportKeyPairCommand } from '@aws-sdk/client-ec2';
import type { Tags } from '../../domain/instance.js';
import type { Ec2Api } from './api.js';
import { keyFingerprints } from './key-fingerprints.js';
import { ec2Tags } from './run-instances.js';
import { hasEc2Code } from './translate-error.js';

/**
 * Names of key pairs by the key they hold; a key that EC2 does not have is imported, with the tags that all resources
 * get (EC-30..EC-34, DW-1). Found and imported ones are asked for once (DW-9), and one call at a time is under way.
 */
export class KeyPairs {
  readonly #api: Ec2Api;
  readonly #tags: Tags;
  readonly #names = new Map<string, string>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(api: Ec2Api, tags: Tags) {
    this.#api = api;
    this.#tags = tags;
  }

  /** Rejects with `DriverError`. */
  nameOf(publicKey: string, signal: AbortSignal): Promise<string> {
    const name = this.#turn.then(() => this.#nameOf(publicKey, signal));
    this.#turn = name.catch(() => {});
    return name;
  }

  /** The key is not there any more: it is looked for again. */
  forget(): void {
    this.#names.clear();
  }

  async #nameOf(publicKey: string, signal: AbortSignal): Promise<string> {
    const fingerprints = keyFingerprints(publicKey);
    const [first] = fingerprints;
    const name =
      this.#names.get(first) ??
      (await this.#find(fingerprints, signal)) ??
      (await this.#import(first, publicKey, signal));
    this.#names.set(first, name);
    return name;
  }

  async #find(fingerprints: string[], signal: AbortSignal): Promise<string | undefined> {
    const command = new DescribeKeyPairsCommand({ Filters: [{ Name: 'fingerprint', Values: fingerprints }] });
    const { KeyPairs: found } = await this.#api.send(
      { what: 'look for the key pair of the dispatch key', kind: 'read', signal },
      (client, abortSignal) => client.send(command, { abortSignal }),
    );
    return found?.find(({ KeyName }) => KeyName !== undefined)?.KeyName;
  }

  async #import(fingerprint: string, publicKey: string, signal: AbortSignal): Promise<string> {
    const KeyName = `arvados-dispatch-keypair-${fingerprint}`;
    const Tags = ec2Tags(this.#tags);
    const command = new ImportKeyPairCommand({
      KeyName,
      PublicKeyMaterial: Buffer.from(publicKey),
      ...(Tags.length > 0 ? { TagSpecifications: [{ ResourceType: 'key-pair', Tags }] } : {}),
    });
    try {
      const reply = await this.#api.send(
        { what: 'import the dispatch key as a key pair', kind: 'create', signal },
        (client, abortSignal) => client.send(command, { abortSignal }),
      );
      return reply.KeyName ?? KeyName;
    } catch (error) {
      // Another dispatcher was first; the name tells that it is the same key.
      if (hasEc2Code(error, 'InvalidKeyPair.Duplicate')) return KeyName;
      throw error;
    }
  }
}
