import {
  DescribeInstanceTypesCommand,
  type GpuInfo,
  type InstanceTypeInfo,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import type { Clock } from '../../domain/clock.js';
import { noGpu, type GpuSpec, type OfferedType, type OfferQuery } from '../../domain/instance-type.js';
import { Ec2Api } from './api.js';
import { onDemandPrices } from './on-demand-prices.js';
import type { Ec2Parameters } from './parameters.js';

const mib = 2 ** 20;
const gb = 1e9;

/** Compute capability of the devices EC2 has; it tells of them by name only. */
const capabilities: Readonly<Record<string, string>> = {
  K80: '3.7',
  M60: '5.2',
  V100: '7.0',
  T4: '7.5',
  T4g: '7.5',
  A100: '8.0',
  A10G: '8.6',
  L4: '8.9',
  L40S: '8.9',
  H100: '9.0',
  H200: '9.0',
  B200: '10.0',
};

/**
 * What EC2 offers in the region, the cheapest first, virtual machines of the current generation only. Rejects with
 * `DriverError`.
 */
export async function ec2OfferedTypes(
  parameters: Ec2Parameters,
  query: OfferQuery,
  clock: Clock,
  signal: AbortSignal,
): Promise<OfferedType[]> {
  const api = new Ec2Api(parameters, clock);
  try {
    const described = (await describeTypes(api, query, signal)).filter((info) => isWanted(info, query));
    if (described.length === 0) return [];
    const names = described.map(({ InstanceType }) => InstanceType!);
    const prices = await onDemandPrices(parameters, names, signal);
    return described
      .map((info) => offeredType(info, prices.get(info.InstanceType!)))
      .sort(
        (a, b) => (a.price ?? Infinity) - (b.price ?? Infinity) || compare(a.providerType, b.providerType),
      );
  } finally {
    api.close();
  }
}

async function describeTypes(
  api: Ec2Api,
  { names }: OfferQuery,
  signal: AbortSignal,
): Promise<InstanceTypeInfo[]> {
  const found: InstanceTypeInfo[] = [];
  const Filters = names.length > 0 ? [{ Name: 'instance-type', Values: [...names] }] : [];
  for (let NextToken: string | undefined; ;) {
    const command = new DescribeInstanceTypesCommand({ Filters, ...(NextToken ? { NextToken } : {}) });
    const reply = await api.send(
      { what: 'describe instance types', kind: 'read', signal },
      (client, abortSignal) => client.send(command, { abortSignal }),
    );
    found.push(...(reply.InstanceTypes ?? []));
    if (!reply.NextToken || reply.NextToken === NextToken) return found;
    NextToken = reply.NextToken;
  }
}

function isWanted(info: InstanceTypeInfo, { names, architecture }: OfferQuery): boolean {
  const { InstanceType: name, BareMetal, CurrentGeneration, ProcessorInfo } = info;
  if (name === undefined || BareMetal === true || CurrentGeneration === false) return false;
  const architectures: readonly string[] = ProcessorInfo?.SupportedArchitectures ?? [];
  return (
    architectures.includes(architecture) && (names.length === 0 || names.some((each) => matches(name, each)))
  );
}

function matches(name: _InstanceType, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

function offeredType(info: InstanceTypeInfo, price: number | undefined): OfferedType {
  const usages: readonly string[] = info.SupportedUsageClasses ?? [];
  return {
    providerType: info.InstanceType!,
    vcpus: info.VCpuInfo?.DefaultVCpus ?? 0,
    ramBytes: (info.MemoryInfo?.SizeInMiB ?? 0) * mib,
    includedScratchBytes: (info.InstanceStorageInfo?.TotalSizeInGB ?? 0) * gb,
    gpu: gpuOf(info.GpuInfo),
    price,
    canBePreemptible: usages.includes('spot'),
  };
}

/** The version of the device's driver is the image's affair. */
function gpuOf(info: GpuInfo | undefined): GpuSpec {
  const [device] = info?.Gpus ?? [];
  const stack = ({ NVIDIA: 'cuda', AMD: 'rocm' } as const)[device?.Manufacturer?.toUpperCase() ?? ''];
  if (!device?.Count || stack === undefined) return noGpu;
  return {
    stack,
    driverVersion: '',
    hardwareTarget: capabilities[device.Name ?? ''] ?? '',
    deviceCount: device.Count,
    vramBytes: (device.MemoryInfo?.SizeInMiB ?? 0) * mib,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
