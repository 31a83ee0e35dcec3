import { isDeepStrictEqual } from 'node:util';
import { noGpu, type InstanceType } from '../domain/instance-type.js';
import { loopbackInstanceType } from './implied-types.js';
import type { ConfigFile, InstanceTypeFile } from './schema.js';

export interface InstanceTypes {
  types: Map<string, InstanceType>;
  /** Warnings for the operator. */
  warnings: string[];
}

/**
 * Returns the types of the file, the default of the loopback driver, and the preemptible variants (C-31, CF-6,
 * CF-7).
 */
export function instanceTypesOf(file: ConfigFile): InstanceTypes {
  const types = new Map<string, InstanceType>();
  for (const [name, type] of Object.entries(file.instanceTypes)) types.set(name, typeOf(name, type));
  if (types.size === 0 && file.driver === 'loopback') types.set('localhost', loopbackInstanceType());
  return { types, warnings: addTwins(types, file.scheduler.preemptiblePriceFactor) };
}

function addTwins(types: Map<string, InstanceType>, factor: number): string[] {
  const warnings: string[] = [];
  for (const type of factor > 0 ? [...types.values()] : []) {
    if (type.preemptible) continue;
    const name = `${type.name}.preemptible`;
    const twin = { ...type, name, preemptible: true, price: type.price * factor };
    const present = types.get(name);
    if (!present) types.set(name, twin);
    else if (!isDeepStrictEqual(present, twin)) {
      warnings.push(
        `instanceTypes.${name}: is kept as it is, though scheduler.preemptiblePriceFactor would make it otherwise: ` +
          'rename it, or set the factor to 0',
      );
    }
  }
  return warnings;
}

function typeOf(name: string, type: InstanceTypeFile): InstanceType {
  const { vram, ...gpu } = type.gpu;
  return {
    name,
    providerType: type.providerType ?? name,
    vcpus: type.vcpus,
    ramBytes: type.ram,
    scratchBytes: type.includedScratch + type.addedScratch,
    includedScratchBytes: type.includedScratch,
    addedScratchBytes: type.addedScratch,
    price: type.price,
    preemptible: type.preemptible,
    gpu: gpu.deviceCount === 0 && gpu.stack === '' ? noGpu : { ...gpu, vramBytes: vram },
  };
}
