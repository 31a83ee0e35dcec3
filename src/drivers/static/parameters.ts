import ssh2 from 'ssh2';
import * as z from 'zod';
import { DriverError } from '../driver.js';

const keyType = /^(ssh-|ecdsa-|sk-)/;
const keyRemedy = 'give the line that "ssh-keyscan HOST" prints';

/** `TYPE BASE64`, as in the host's public key file, or with the host in front, as `ssh-keyscan` prints it. */
const hostKey = z.string().transform((line, context) => {
  const words = line.trim().split(/\s+/);
  const at = words.findIndex((word) => keyType.test(word));
  const parsed = ssh2.utils.parseKey(words.slice(Math.max(0, at), at + 2).join(' '));
  if (at === -1 || parsed instanceof Error) {
    context.addIssue({ code: 'custom', message: `is no public key: ${keyRemedy}` });
    return z.NEVER;
  }
  return parsed.getPublicSSH().toString('base64');
});

const host = z.strictObject({
  address: z.string().regex(/^\S+$/, 'give a host name or an address, with :port where it is not 22'),
  /** For people; part of the instance id. Default: the address. */
  name: z.string().min(1).optional(),
  /** `providerType` of the instance types that fit on it. */
  type: z.string().min(1),
  user: z.string().min(1).default('root'),
  /** One of them must be the key that the host shows. */
  hostKey: z.union([hostKey.transform((key) => [key]), z.array(hostKey).min(1)], { error: () => keyRemedy }),
});

/** Two entries of one address would be one host with two owners. */
function refuseTwins(hosts: readonly { address: string }[], { addIssue }: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { address }] of hosts.entries()) {
    if (seen.has(address)) {
      addIssue({
        code: 'custom',
        path: [index, 'address'],
        message: `${address} is there twice: remove one`,
      });
    }
    seen.add(address);
  }
}

export const staticSchema = z.strictObject({
  hosts: z.array(host).min(1, 'give at least one host').superRefine(refuseTwins),
  /** Run as root on a host that is released; must end all containers. Default: ends those of runner programs. */
  releaseCommand: z.string().optional(),
  /** How often a release may fail before the host is quarantined. */
  releaseTries: z.int().min(1).default(6),
});

/** One host of the inventory. */
export type StaticHost = z.output<typeof host>;
export type StaticParameters = z.output<typeof staticSchema>;

/** Throws {@link DriverError} `invalid` naming each field that is wrong. */
export function parseStaticParameters(value: unknown): StaticParameters {
  const parsed = staticSchema.safeParse(value ?? {});
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => {
      return `driverParameters.${path.join('.')}: ${message}`;
    });
    throw new DriverError('invalid', issues.join('; '));
  }
  return parsed.data;
}
