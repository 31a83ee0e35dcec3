import type { Config } from '../config/config.js';
import { sizeContainer } from '../policy/choose-types.js';
import type { SizeContainer } from '../queue/queue-cache.js';

/** Returns the configured types that fit a container. */
export function sizeBy({ scheduler, instanceTypes }: Config): SizeContainer {
  const { maximumPriceFactor, onDemandFallback, reserveExtraRamBytes, localKeepBlobBuffersPerVcpu } =
    scheduler;
  const settings = {
    maximumPriceFactor,
    onDemandFallback,
    reserveExtraRamBytes,
    localKeepBlobBuffersPerVcpu,
  };
  return (container) => sizeContainer(container, instanceTypes.values(), settings);
}
