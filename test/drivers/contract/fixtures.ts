import { inspect } from 'node:util';
import { expect } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import type { Instance } from '../../../src/domain/instance.js';
import { noGpu, type InstanceType } from '../../../src/domain/instance-type.js';
import { DriverError, type CreateSpec, type Driver } from '../../../src/drivers/driver.js';
import { ProviderBreakers } from '../../../src/fleet/provider-breakers.js';
import { wrapDriver } from '../../../src/drivers/wrappers/wrap.js';
import { generateKeyPair } from '../../../src/ssh/keys.js';
import { driverErrorCodes } from '../../../src/domain/driver-error-code.js';

export const loginKey = generateKeyPair();
export const secret = '0123456789abcdef0123456789abcdef01234567';
export const never = new AbortController().signal;

export const type = (name: string, change: Partial<InstanceType> = {}): InstanceType => ({
  name,
  providerType: `provider.${name}`,
  vcpus: 1,
  ramBytes: 2 ** 30,
  scratchBytes: 2 ** 30,
  includedScratchBytes: 2 ** 30,
  addedScratchBytes: 0,
  price: 0.1,
  preemptible: false,
  gpu: noGpu,
  ...change,
});

let specs = 0;
export const spec = (change: Partial<CreateSpec> = {}): CreateSpec => ({
  instanceType: type('small'),
  imageId: 'image',
  tags: { InstanceSetID: 'set', InstanceType: 'small' },
  initCommand: `umask 0177 && echo -n "${secret}" >/var/run/arvados-instance-secret\n`,
  publicKey: loginKey.publicKey,
  idempotencyToken: `token-${++specs}`,
  secrets: [secret],
  ...change,
});

/** Everything an error would show, its causes and hidden fields included. */
export const allOf = (error: unknown): string => inspect(error, { depth: 12, showHidden: true });

/** The error of a call that must fail, proven to be of the contract's one class and codes, without secrets. */
export async function errorOf(call: Promise<unknown>, secrets: readonly string[] = []): Promise<DriverError> {
  const error = await call.then(
    () => expect.fail('the call succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DriverError);
  expect(driverErrorCodes).toContain((error as DriverError).code);
  for (const hidden of [secret, ...secrets]) expect(allOf(error)).not.toContain(hidden);
  return error as DriverError;
}

/** As the pool uses a driver, without limit of rate. */
export const wrapped = (driver: Driver, timeoutMs = 20_000, secrets: readonly string[] = []): Driver =>
  wrapDriver(driver, {
    clock: systemClock,
    resourceTags: {},
    opsPerSecond: 0,
    timeoutMs,
    secrets,
    breakers: new ProviderBreakers({ clock: systemClock, trialTimeoutMs: timeoutMs }),
    observe: () => {},
  });

/** Faults of a cloud, by the code that each call has to fail with; `silent`: the cloud does not answer any more. */
export const cloudFaults = ['rate-limited', 'capacity', 'auth', 'unavailable', 'silent'] as const;
export type CloudFault = (typeof cloudFaults)[number];

/** What a subject may be unable to show. */
export type Ability = CloudFault | 'reopen';

export interface ContractSubject {
  /** Without wrappers. */
  driver: Driver;
  /** The key a genuine instance shows. `undefined` when this subject leaves the decision to the instance secret. */
  hostKeyOf(instance: Instance): Promise<Uint8Array | undefined>;
  /** Everything the subject holds is ended and freed. */
  end(): Promise<void>;
  /** What this cloud can make, with that many instances of it and no more: two. Default: {@link spec}. */
  spec?(change?: Partial<CreateSpec>): CreateSpec;
  /** From now on the cloud answers each call so. */
  fault?(fault: CloudFault): void | Promise<void>;
  /** Stops the driver and gives the next one of the same instance set, as a restart of the daemon does. */
  reopen?(): Promise<Driver>;
  /** What no error may show, beside the secret of the instance. */
  secrets?: readonly string[];
}

/** What the cases work with; filled anew before each. */
export interface ContractWorld {
  subject: ContractSubject;
  /** As the pool has it. */
  driver: Driver;
  wish(change?: Partial<CreateSpec>): CreateSpec;
  ids(): Promise<string[]>;
  /** Waits until the list shows exactly these, in any order. */
  listed(ids: readonly string[]): Promise<void>;
  /** The instance as listed, once it is. */
  find(id: string): Promise<Instance>;
}

/** Each call has a signal of its own, as in the daemon. */
export const options = {
  get signal(): AbortSignal {
    return new AbortController().signal;
  },
};
/** How long a cloud may take to show what it did. */
export const lag = { timeout: 15_000, interval: 25 };
