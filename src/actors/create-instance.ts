import { fromPromise } from 'xstate';
import type { TagKeys } from '../domain/instance.js';
import { secretFingerprint } from '../domain/ids.js';
import type { CreateSpec, Driver } from '../drivers/driver.js';
import type { CloudFailure, CreateOutcome, LaunchRequest } from '../machines/cloud-effects.js';
import { cloudFailure } from './cloud-failure.js';
import { secretFile } from '../fleet/instance-executors.js';

export interface CreateInstanceDeps {
  driver: Driver;
  tagKeys: TagKeys;
  instanceSetId: string;
  imageId: string;
  instanceInitCommand: string;
  /** The tag holds the secret itself, which the reference dispatcher compares with the instance's (L-5, X-6). */
  plainSecretTag?: boolean;
  /** `undefined`: none is installed. */
  publicKey: string | undefined;
}

/** The order for one instance (L-4..L-7). Its tag holds the fingerprint of the secret, unless `plainSecretTag`. */
export function createSpecOf(
  deps: Omit<CreateInstanceDeps, 'driver'>,
  { instanceType, zone = '', secret }: Pick<LaunchRequest, 'instanceType' | 'zone' | 'secret'>,
): CreateSpec {
  const { tagKeys, instanceSetId, imageId, instanceInitCommand, publicKey, plainSecretTag = false } = deps;
  return {
    instanceType,
    imageId,
    tags: {
      [tagKeys.instanceSetId]: instanceSetId,
      [tagKeys.instanceType]: instanceType.name,
      [tagKeys.idleBehavior]: 'run',
      [tagKeys.instanceSecret]: plainSecretTag ? secret : secretFingerprint(secret),
    },
    initCommand: `umask 0177 && echo -n "${secret}" >${secretFile}\n${instanceInitCommand}`,
    publicKey,
    ...(zone === '' ? {} : { zone }),
    idempotencyToken: secretFingerprint(secret).slice(7, 47),
    secrets: [secret],
  };
}

/** Asks the cloud for one instance. */
export const createInstanceWith = (deps: CreateInstanceDeps) =>
  fromPromise<CreateOutcome, LaunchRequest>(async ({ input, signal }) => {
    try {
      return { ok: true, instance: await deps.driver.create(createSpecOf(deps, input), { signal }) };
    } catch (error) {
      return { ok: false, error: withoutSecret(cloudFailure(error), input.secret) };
    }
  });

/** Some providers repeat the request, and with it the init command, in the text of their error. */
function withoutSecret(failure: CloudFailure, secret: string): CloudFailure {
  return { ...failure, message: failure.message.replaceAll(secret, '[secret]') };
}
