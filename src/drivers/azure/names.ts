import { createHash } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';
const tailLength = 15;
/** Leaves room for the rest of a Linux VM's name, which is 64 characters at most. */
const longestSetId = 38;

/** Begins the name of everything this instance set makes (AZ-4). */
export function namePrefix(instanceSetId: string): string {
  const plain = instanceSetId.replaceAll(/[^A-Za-z0-9-]/g, '-');
  const short =
    plain.length <= longestSetId
      ? plain
      : createHash('sha256').update(instanceSetId).digest('hex').slice(0, 32);
  return `compute-${short}-`;
}

/**
 * The name of the instance that a wish is for (AZ-11). The same wish has the same name, so that a repeated call updates
 * what the first made. `random` decides where there is no token.
 */
export function instanceName(prefix: string, idempotencyToken: string, random: () => number): string {
  const digest = createHash('sha256').update(idempotencyToken).digest();
  const digits = Array.from({ length: tailLength }, (_, index) =>
    idempotencyToken === '' ? Math.floor(random() * alphabet.length) : digest[index]! % alphabet.length,
  );
  return prefix + digits.map((digit) => alphabet[digit]).join('');
}

/** True for what {@link instanceName} gives; another set's prefix may begin with this one. */
export function isInstanceName(prefix: string, name: string): boolean {
  return (
    name.startsWith(prefix) &&
    /^[a-z0-9]+$/.test(name.slice(prefix.length)) &&
    name.length === prefix.length + tailLength
  );
}

export const nicNameOf = (instance: string): string => `${instance}-nic`;
export const diskNameOf = (instance: string): string => `${instance}-os`;

/** Builds the ids of resources. Azure gives the same id in several spellings; these are the ones compared. */
export class ResourceIds {
  readonly #subscriptionId: string;

  constructor(subscriptionId: string) {
    this.#subscriptionId = subscriptionId;
  }

  of(resourceGroup: string, provider: string, ...path: readonly string[]): string {
    return [
      `/subscriptions/${this.#subscriptionId}/resourceGroups/${resourceGroup}/providers/${provider}`,
      ...path,
    ].join('/');
  }

  virtualMachine(resourceGroup: string, name: string): string {
    return this.of(resourceGroup, 'Microsoft.Compute', 'virtualMachines', name);
  }
}

/** The VM's name in its id; `undefined` when the text is no id of a VM in this resource group. */
export function virtualMachineNameOf(
  ids: ResourceIds,
  resourceGroup: string,
  id: string,
): string | undefined {
  const folder = ids.virtualMachine(resourceGroup, '');
  const name = id.slice(folder.length);
  const isOurs = id.slice(0, folder.length).toLowerCase() === folder.toLowerCase();
  return isOurs && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) ? name : undefined;
}
