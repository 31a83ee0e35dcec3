import * as z from 'zod';
import { parseDuration } from '../../domain/duration.js';
import { DriverError } from '../driver.js';
import { secret } from '../secret-parameter.js';

/** Instance families that share a vCPU quota of AWS, by their letters (DC-28). */
const defaultQuotaGroups = {
  a: 'standard',
  c: 'standard',
  d: 'standard',
  h: 'standard',
  i: 'standard',
  m: 'standard',
  r: 'standard',
  t: 'standard',
  z: 'standard',
  vt: 'g',
  p5: 'p5',
};

const durationRemedy = 'give a duration like 30s, 5m or 24h';
const duration = (text: string) =>
  z
    .union([z.string(), z.literal(0)], { error: () => durationRemedy })
    .transform((value, context) => {
      try {
        return parseDuration(String(value));
      } catch {
        context.addIssue({ code: 'custom', message: durationRemedy });
        return z.NEVER;
      }
    })
    .prefault(text);

const listRemedy = 'give one id, or a list of ids';
const nonEmpty = (ids: string[]): string[] => ids.filter((id) => id !== '');
const oneOrMore = z
  .union([z.string(), z.array(z.string())], { error: () => listRemedy })
  .transform((ids) => nonEmpty([ids].flat()))
  .default([]);
/** A map whose keys are the ids is how the file of the dispatcher that this one replaces has it (EC-3). */
const listOrKeys = z
  .union([z.string(), z.array(z.string()), z.record(z.string(), z.unknown())], { error: () => listRemedy })
  .transform((ids) =>
    nonEmpty(typeof ids === 'string' || Array.isArray(ids) ? [ids].flat() : Object.keys(ids)),
  )
  .default([]);

const regionRemedy = 'give the region, like us-east-1';

export const ec2Schema = z
  .strictObject({
    region: z.string({ error: () => regionRemedy }).regex(/^[a-z]{2,3}(-[a-z]+)+-\d+$/, regionRemedy),
    /** Empty, both: the default chain of AWS: environment, profile, role of this host. */
    accessKeyId: secret(z.string().default('')),
    secretAccessKey: secret(z.string().default('')),
    sessionToken: secret(z.string().default('')),
    /** Tried in turn while the error is of the subnet. None: the default of the account. */
    subnetId: oneOrMore,
    securityGroupIds: listOrKeys,
    /** Of the volume that is made for added scratch. */
    ebsVolumeType: z
      .string()
      .default('')
      .transform((type) => type || 'gp2'),
    /** Dollars for a GiB and month of that volume; added to spot prices. */
    ebsPrice: z.number().min(0).default(0.1),
    /** A name, not an ARN. */
    iamInstanceProfile: z
      .string()
      .refine((name) => !name.startsWith('arn:'), 'give the name of the profile, not its ARN')
      .default(''),
    /** 0: spot prices are not asked for. */
    spotPriceUpdateInterval: duration('24h'),
    instanceTypeQuotaGroups: z
      .record(
        z.string().regex(/^[a-z0-9.-]+$/, 'write the beginning of the type in small letters'),
        z.string(),
      )
      .default(defaultQuotaGroups),
    adminUsername: z.string().min(1).default('crunch'),
    /** How many hops away from the instance its metadata may be read: 2 lets containers read it. */
    metadataHopLimit: z.int().min(1).max(64).default(2),
    /** So many instances alike may be asked for at once; their images then need a way to read their metadata. */
    instancesPerRequest: z.int().min(1).max(20).default(1),
    /** In place of the endpoint of the region. */
    endpoint: z
      .url({ protocol: /^https?$/, error: () => 'give a URL that begins with https:// or http://' })
      .optional(),
    /** Bound of each request; a call may take several. */
    requestTimeout: duration('1m').refine((ms) => ms > 0, 'must be longer than 0'),
  })
  .refine((settings) => (settings.accessKeyId === '') === (settings.secretAccessKey === ''), {
    path: ['secretAccessKey'],
    message: 'give both accessKeyId and secretAccessKey, or none to use the role of this host',
  })
  .refine((settings) => settings.sessionToken === '' || settings.accessKeyId !== '', {
    path: ['sessionToken'],
    message: 'goes with accessKeyId and secretAccessKey',
  });

export type Ec2Parameters = z.output<typeof ec2Schema>;

/** The settings of the driver (DC-20..DC-29). Throws {@link DriverError} `invalid` naming each field that is wrong. */
export function parseEc2Parameters(parameters: unknown): Ec2Parameters {
  const parsed = ec2Schema.safeParse(parameters ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${['driverParameters', ...path].join('.')}: ${message}`,
  );
  throw new DriverError('invalid', faults.join('; '), {
    remedy: 'see the settings of the ec2 driver in docs/ec2.md',
  });
}
