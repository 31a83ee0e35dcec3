import { statfsSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { noGpu, type InstanceType } from '../domain/instance-type.js';

/** Returns this host as an instance type: the default of the loopback driver (D-2). */
export function loopbackInstanceType(): InstanceType {
  const { blocks, bsize } = statfsSync(tmpdir());
  const scratchBytes = blocks * bsize;
  return {
    name: 'localhost',
    providerType: 'localhost',
    vcpus: availableParallelism(),
    ramBytes: totalmem(),
    scratchBytes,
    includedScratchBytes: scratchBytes,
    addedScratchBytes: 0,
    price: 1,
    preemptible: false,
    gpu: noGpu,
  };
}
