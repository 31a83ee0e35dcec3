import type { Container, ResourceNeeds } from '../domain/container.js';

const mebibyte = 1024 * 1024;
/** 200 MiB and a tenth: what the local storage client of an instance takes beside its buffers. */
const keepBaseBytes = 230_686_720;
const imagePattern = /(?:^|\/)[0-9a-f]{32}\+(\d+)$/;

export interface NeedsSettings {
  reserveExtraRamBytes: number;
  localKeepBlobBuffersPerVcpu: number;
}

/** What the container needs of an instance, margins included (NS-1..NS-9). */
export function resourceNeeds(container: Container, settings: NeedsSettings): ResourceNeeds {
  const { constraints, image, tmpMountBytes } = container;
  const { vcpus, gpu } = constraints;
  const imageBytes = estimateImageBytes(image);
  const buffers = settings.localKeepBlobBuffersPerVcpu;
  const keepBytes = buffers > 0 ? keepBaseBytes + Math.floor((buffers * vcpus * 64 * mebibyte * 11) / 10) : 0;
  const ramBytes =
    constraints.ramBytes + constraints.keepCacheRamBytes + settings.reserveExtraRamBytes + keepBytes;
  return {
    vcpus,
    ramBytes: Math.floor((ramBytes * 100) / 95),
    scratchBytes: Math.max(tmpMountBytes, imageBytes) + imageBytes + constraints.keepCacheDiskBytes,
    gpus: gpu.deviceCount,
    gpuVramBytes: gpu.vramBytes,
  };
}

/** From the length of the manifest in a portable data hash; 0 for any other image name (NS-7). */
export function estimateImageBytes(image: string): number {
  const manifestBytes = Number(imagePattern.exec(image)?.[1] ?? 0);
  return manifestBytes < 122 ? 0 : Math.floor((manifestBytes - 80) / 42) * 64 * mebibyte;
}
