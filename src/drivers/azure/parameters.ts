import * as z from 'zod';
import { parseDuration } from '../../domain/duration.js';
import { DriverError } from '../driver.js';
import { secret } from '../secret-parameter.js';
import { azureEnvironments, type AzureEnvironment } from './environments.js';

const text = z.string().default('');
const needed = (what: string) => z.string({ error: () => `give ${what}` }).min(1, `give ${what}`);
const endpoint = z
  .string()
  .regex(/^$|^https:\/\/[^/?#]+\/?$/, 'give an https:// address without a path')
  .transform((address) => address.replace(/\/$/, ''))
  .default('');
const duration = (usual: string) =>
  z
    .union([z.string(), z.literal(0)])
    .default(usual)
    .transform((value, context) => {
      try {
        return parseDuration(String(value));
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    });
const clouds = Object.keys(azureEnvironments) as (keyof typeof azureEnvironments)[];

export const azureSchema = z
  .strictObject({
    subscriptionId: needed('the id of the subscription that pays'),
    /** With clientSecret: the service principal's. */
    tenantId: text,
    /** Of the service principal, or of a user-assigned managed identity. */
    clientId: text,
    clientSecret: secret(z.string().default('')),
    /** Sign in as the identity of the machine the daemon runs on. */
    managedIdentity: z.boolean().default(false),
    cloudEnvironment: z.enum(clouds).default('AzurePublicCloud'),
    /** For clouds that are not in the list above. */
    resourceManagerEndpoint: endpoint,
    authorityHost: endpoint,
    /** PEM file of an authority to trust beside the usual ones, for such clouds. */
    caFile: text,
    location: z.string().min(1).default('centralus'),
    resourceGroup: needed('the resource group instances are made in'),
    /** Default: resourceGroup. */
    networkResourceGroup: text,
    /** Default: resourceGroup. */
    imageResourceGroup: text,
    network: needed('the name of the virtual network'),
    subnet: needed('the name of the subnet'),
    sharedImageGalleryName: text,
    sharedImageGalleryImageVersion: text,
    adminUsername: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'give a Linux user name')
      .refine((name) => !['root', 'admin', 'administrator', 'test', 'user'].includes(name), {
        message: 'Azure refuses this user name: give another',
      })
      .default('crunch'),
    /** How old an interface or a disk without an instance must be to be deleted. */
    deleteDanglingResourcesAfter: duration('20s'),
    /** Between two looks at an operation that Azure works on, where Azure names no time. */
    operationPollInterval: duration('2s'),
  })
  .superRefine((given, { addIssue }) => {
    const { sharedImageGalleryName: gallery, sharedImageGalleryImageVersion: version } = given;
    const refuse = (path: string, message: string): void =>
      addIssue({ code: 'custom', path: [path], message });
    if ((gallery === '') !== (version === '')) {
      refuse(
        gallery === '' ? 'sharedImageGalleryName' : 'sharedImageGalleryImageVersion',
        'give both sharedImageGalleryName and sharedImageGalleryImageVersion, or none',
      );
    }
    if (given.clientSecret === '') return;
    if (given.managedIdentity) refuse('managedIdentity', 'give either this or clientSecret');
    if (given.tenantId === '') refuse('tenantId', 'is needed with clientSecret');
    if (given.clientId === '') refuse('clientId', 'is needed with clientSecret');
  })
  .transform(({ deleteDanglingResourcesAfter, operationPollInterval, ...given }) => ({
    ...given,
    deleteDanglingAfterMs: deleteDanglingResourcesAfter,
    operationPollMs: Math.max(operationPollInterval, 1),
    networkResourceGroup: given.networkResourceGroup || given.resourceGroup,
    imageResourceGroup: given.imageResourceGroup || given.resourceGroup,
  }));

/** What the operator says about Azure (DC-40..DC-47). */
export type AzureParameters = z.output<typeof azureSchema>;

const noUnmanagedDisks = 'Azure has ended unmanaged disks, use a managed image';
export const retiredAzureParameters: Readonly<Record<string, string>> = {
  storageAccount: noUnmanagedDisks,
  blobContainer: noUnmanagedDisks,
};

/** Throws {@link DriverError} `invalid` naming each field that is wrong, never its value. */
export function parseAzureParameters(parameters: unknown): AzureParameters {
  const parsed = azureSchema.safeParse(parameters ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => {
    const path = ['driverParameters', ...issue.path].join('.');
    if (issue.code === 'unrecognized_keys') return `${path}: ${unknownKeys(issue.keys)}`;
    return `${path}: ${issue.message}`;
  });
  throw new DriverError('invalid', faults.join('; '), {
    remedy: 'see docs/azure.md for the parameters of the azure driver',
  });
}

function unknownKeys(keys: readonly string[]): string {
  const old = keys.filter((key) => Object.hasOwn(retiredAzureParameters, key));
  if (old.length > 0) return `${old.join(' and ')}: ${noUnmanagedDisks}`;
  return `${keys.join(', ')} is not a parameter`;
}

/** Where requests go: the overrides, else the named cloud. */
export function environmentOf(parameters: AzureParameters): AzureEnvironment {
  const named = azureEnvironments[parameters.cloudEnvironment];
  return {
    resourceManagerEndpoint: parameters.resourceManagerEndpoint || named.resourceManagerEndpoint,
    authorityHost: parameters.authorityHost || named.authorityHost,
  };
}
