import type { Config } from '../config/config.js';
import { sizeContainer } from '../policy/choose-types.js';
import type { SizeContainer } from '../queue/queue-cache.js';

/** Which of the configured types fit a container. */
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
