import { EC2Client, type EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { Clock } from '../../domain/clock.js';
import { abortError } from '../abortable.js';
import { DriverError } from '../driver.js';
import { BackOff } from './back-off.js';
import { Credentials } from './credentials.js';
import type { Ec2Parameters } from './parameters.js';
import { redactor } from './redactor.js';
import { retryAfterOf } from './retry-after.js';
import { hasEc2Code, translateEc2Error, type Redact } from './translate-error.js';

/** EC2 limits the rate of each kind by itself: of instances made, of reading, of other changes (EC-70, DW-3). */
export type RequestKind = 'create' | 'read' | 'change';

export interface Request {
  /** For the error, like `create an instance`. */
  what: string;
  kind: RequestKind;
  signal: AbortSignal;
  /** What the request holds and no error may tell. */
  hidden?: readonly string[];
}

type Call<T> = (client: EC2Client, signal: AbortSignal) => Promise<T>;

/** EC2 tells of credentials that have expired like of a clock that goes wrong. */
const codesOfExpiry = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'];

/**
 * EC2 of one region. Each request is made once (EC-5), and once more when credentials expired before their time and
 * there are others. It fails with {@link DriverError} only; after a throttled one, `retryAt` grows for its kind until one
 * succeeds.
 */
export class Ec2Api {
  readonly client: EC2Client;
  /** Requests may be for several instances. */
  readonly mayLaunchSeveral: boolean;
  readonly #clock: Clock;
  readonly #credentials: Credentials;
  readonly #backOffs: Record<RequestKind, BackOff>;

  constructor(parameters: Ec2Parameters, clock: Clock) {
    this.#credentials = new Credentials(parameters);
    this.client = new EC2Client(clientConfig(parameters, this.#credentials));
    this.mayLaunchSeveral = parameters.instancesPerRequest > 1;
    this.#clock = clock;
    this.#backOffs = { create: new BackOff(clock), read: new BackOff(clock), change: new BackOff(clock) };
  }

  /** What `call` resolves to; it is to hand the signal to the library. */
  async send<T>(request: Request, call: Call<T>): Promise<T> {
    try {
      return await this.#sendOnce(request, call);
    } catch (error) {
      if (!this.#credentials.canBeRenewed || !codesOfExpiry.some((code) => hasEc2Code(error, code)))
        throw error;
      await this.#renewCredentials(request, error as DriverError);
      return this.#sendOnce(request, call);
    }
  }

  close(): void {
    this.client.destroy();
  }

  async #sendOnce<T>(request: Request, call: Call<T>): Promise<T> {
    const { what, kind, signal, hidden = [] } = request;
    if (signal.aborted) throw abortError(signal, what);
    try {
      const output = await call(this.client, signal);
      this.#backOffs[kind].over();
      return output;
    } catch (error) {
      if (signal.aborted) throw abortError(signal, what);
      const known = translateEc2Error(error, what, this.#redactor(hidden));
      throw this.#paced(known, kind, retryAfterOf(error, this.#clock.now()));
    }
  }

  /** Rejects with `refusal` and the reason when there are none. */
  async #renewCredentials({ what, signal }: Request, refusal: DriverError): Promise<void> {
    try {
      await this.client.config.credentials({ forceRefresh: true });
    } catch (error) {
      if (signal.aborted) throw abortError(signal, what);
      const { message, cause, remedy } = refusal;
      const reason = translateEc2Error(error, 'no new credentials', this.#redactor()).message;
      throw new DriverError('auth', `${message}; ${reason}`, { cause, ...(remedy && { remedy }) });
    }
  }

  #redactor(hidden: readonly string[] = []): Redact {
    return redactor([...this.#credentials.secrets, ...hidden]);
  }

  /** The error with its `retryAt`. Lack of room says nothing of the rate. */
  #paced(error: DriverError, kind: RequestKind, retryAfterAt: number): DriverError {
    const { code, message, cause, remedy } = error;
    if (code !== 'rate-limited') {
      if (code !== 'quota' && code !== 'capacity') this.#backOffs[kind].over();
      return error;
    }
    const retryAt = Math.max(this.#backOffs[kind].refused(), retryAfterAt);
    return new DriverError(code, message, { cause, retryAt, ...(remedy === undefined ? {} : { remedy }) });
  }
}

/** The settings that all clients of AWS share. */
export function clientConfig(parameters: Ec2Parameters, { source }: Credentials): EC2ClientConfig {
  const { region, endpoint, requestTimeout } = parameters;
  return {
    region,
    maxAttempts: 1,
    credentials: source,
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: {
      requestTimeout,
      connectionTimeout: Math.min(requestTimeout, 20_000),
      socketTimeout: requestTimeout,
      throwOnRequestTimeout: true,
    },
  };
}
