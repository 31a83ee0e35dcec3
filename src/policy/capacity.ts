import type { ResourceNeeds } from '../domain/container.js';
import type { InstanceType } from '../domain/instance-type.js';

/** What is left of an instance (NS-10..NS-14). GPU memory is that of one device, as a device is never shared. */
export interface Capacity extends ResourceNeeds {
  /** A container that asked for no VCPU is there; all such share one. */
  isOneVcpuShared: boolean;
}

export function capacityOf(type: InstanceType): Capacity {
  return {
    vcpus: type.vcpus,
    ramBytes: type.ramBytes,
    scratchBytes: type.scratchBytes,
    gpus: type.gpu.deviceCount,
    gpuVramBytes: type.gpu.vramBytes,
    isOneVcpuShared: false,
  };
}

export const noCapacity: Capacity = {
  vcpus: 0,
  ramBytes: 0,
  scratchBytes: 0,
  gpus: 0,
  gpuVramBytes: 0,
  isOneVcpuShared: false,
};

/** Takes the needs out of the capacity, in place. */
export function place(capacity: Capacity, needs: ResourceNeeds): void {
  capacity.vcpus -= needs.vcpus;
  capacity.ramBytes -= needs.ramBytes;
  capacity.scratchBytes -= needs.scratchBytes;
  capacity.gpus -= needs.gpus;
  if (needs.vcpus === 0) capacity.isOneVcpuShared = true;
}

/** NS-12. */
export function accommodates(capacity: Capacity, needs: ResourceNeeds): boolean {
  return (
    capacity.vcpus > 0 &&
    capacity.vcpus >= needs.vcpus &&
    capacity.ramBytes >= needs.ramBytes &&
    capacity.scratchBytes >= needs.scratchBytes &&
    capacity.gpus >= needs.gpus &&
    capacity.gpuVramBytes >= needs.gpuVramBytes &&
    (!capacity.isOneVcpuShared || capacity.vcpus > needs.vcpus)
  );
}
