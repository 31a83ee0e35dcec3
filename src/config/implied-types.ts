import { statfsSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { noGpu, type InstanceType } from '../domain/instance-type.js';

/** This host as an instance type: what the loopback driver offers when none is configured (D-2). */
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
