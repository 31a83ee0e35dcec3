import type { Instance, Tags } from '../../domain/instance.js';
import { tagsAt } from './launch-tags.js';

/** What the driver reads of an instance that EC2 describes. */
export interface ListedInstance {
  id: string;
  /** `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`; `''` when not told. */
  state: string;
  type: string;
  /** `''` while unknown. */
  privateIp: string;
  subnetId: string;
  zone: string;
  isSpot: boolean;
  /** Its place among the instances of its request, from 0; NaN when not told. */
  launchIndex: number;
  /** As EC2 has them: {@link tagsAt} tells what they mean. */
  tags: Tags;
}

/** True for one that is on its way out: it is not listed (EC-41). */
export function isGone({ state }: ListedInstance): boolean {
  return state === 'shutting-down' || state === 'terminated';
}

/** As the pool knows instances (EC-62). */
export function instanceOf(
  { id, type, privateIp, launchIndex, tags: onInstance }: ListedInstance,
  remoteUser: string,
  priceHistory: Instance['priceHistory'],
): Instance {
  const tags = tagsAt(launchIndex, onInstance);
  return { id, displayName: id, providerType: type, address: privateIp, remoteUser, tags, priceHistory };
}
