import type { EC2ClientConfig } from '@aws-sdk/client-ec2';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { Ec2Parameters } from './parameters.js';

/** Secret and session token of the credentials in use, and of those before them. */
const mostSecrets = 4;

/**
 * Who the driver is to AWS (EC-4): the configured key, or what this host has: environment, profile, program, role of the
 * container or host. The latter are renewed by the library before they expire; files are read anew for that.
 */
export class Credentials {
  /** For a client of the library. */
  readonly source: NonNullable<EC2ClientConfig['credentials']>;
  /** Others may be had in place of those that AWS does not take any more. */
  readonly canBeRenewed: boolean;
  #secrets: string[];

  constructor({ accessKeyId, secretAccessKey, sessionToken }: Ec2Parameters) {
    this.#secrets = [secretAccessKey, sessionToken];
    this.canBeRenewed = accessKeyId === '';
    this.source = this.canBeRenewed
      ? this.#ofThisHost()
      : { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) };
  }

  /** What no error may tell. */
  get secrets(): readonly string[] {
    return this.#secrets;
  }

  #ofThisHost(): ReturnType<typeof defaultProvider> {
    const provide = defaultProvider({ ignoreCache: true });
    return async (options) => {
      const identity = await provide(options);
      const { secretAccessKey, sessionToken = '' } = identity;
      if (!this.#secrets.includes(secretAccessKey))
        this.#secrets = [secretAccessKey, sessionToken, ...this.#secrets].slice(0, mostSecrets);
      return identity;
    };
  }
}
