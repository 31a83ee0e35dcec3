/** GPU wishes and offers share these fields; `''` and 0 mean "none". */
export interface GpuSpec {
  stack: '' | 'cuda' | 'rocm';
  driverVersion: string;
  hardwareTarget: string;
  deviceCount: number;
  /** Memory of one device. */
  vramBytes: number;
}

/** One kind of instance an operator allows, as configured (V-14). */
export interface InstanceType {
  name: string;
  providerType: string;
  vcpus: number;
  ramBytes: number;
  /** Always `includedScratchBytes + addedScratchBytes`. */
  scratchBytes: number;
  includedScratchBytes: number;
  addedScratchBytes: number;
  /** Dollars an hour. */
  price: number;
  preemptible: boolean;
  gpu: GpuSpec;
}

export const noGpu: GpuSpec = {
  stack: '',
  driverVersion: '',
  hardwareTarget: '',
  deviceCount: 0,
  vramBytes: 0,
};

/** A type known by name only, for an instance whose type left the configuration (W-4). */
export function unknownInstanceType(name: string): InstanceType {
  return {
    name,
    providerType: '',
    vcpus: 0,
    ramBytes: 0,
    scratchBytes: 0,
    includedScratchBytes: 0,
    addedScratchBytes: 0,
    price: 0,
    preemptible: false,
    gpu: noGpu,
  };
}

/** The JSON shape other programs of the field expect: sizes as plain integers, without name and scratch sum (V-14). */
export interface InstanceTypeWire {
  ProviderType: string;
  VCPUs: number;
  RAM: number;
  IncludedScratch: number;
  AddedScratch: number;
  Price: number;
  Preemptible: boolean;
  GPU: { Stack: string; DriverVersion: string; HardwareTarget: string; DeviceCount: number; VRAM: number };
}

export function toWire(type: InstanceType): InstanceTypeWire {
  return {
    ProviderType: type.providerType,
    VCPUs: type.vcpus,
    RAM: type.ramBytes,
    IncludedScratch: type.includedScratchBytes,
    AddedScratch: type.addedScratchBytes,
    Price: type.price,
    Preemptible: type.preemptible,
    GPU: {
      Stack: type.gpu.stack,
      DriverVersion: type.gpu.driverVersion,
      HardwareTarget: type.gpu.hardwareTarget,
      DeviceCount: type.gpu.deviceCount,
      VRAM: type.gpu.vramBytes,
    },
  };
}

/** A kind of instance that a provider offers, by its own description. */
export interface OfferedType {
  providerType: string;
  vcpus: number;
  ramBytes: number;
  /** Of the disks that come with it. */
  includedScratchBytes: number;
  gpu: GpuSpec;
  /** Dollars an hour on demand; `undefined` when the provider's list of prices does not have it. */
  price: number | undefined;
  canBePreemptible: boolean;
}

/** Which of them are wanted. */
export interface OfferQuery {
  /** Names, in which `*` stands for any text; empty: all. */
  names: readonly string[];
  /** Of the processor, like `x86_64`. */
  architecture: string;
}
