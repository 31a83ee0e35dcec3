import type { Container, ResourceNeeds } from '../domain/container.js';
import type { InstanceType } from '../domain/instance-type.js';
import { resourceNeeds, type NeedsSettings } from './resource-needs.js';

export interface SizingSettings extends NeedsSettings {
  maximumPriceFactor: number;
  /** Whether preemptible containers that do not say may run on on-demand instances; not given: no. */
  onDemandFallback?: boolean;
}

/** What a container needs and which types fit, cheapest first; or why none does, for its owner to read. */
export type Sizing =
  | { needs: ResourceNeeds; instanceTypes: readonly InstanceType[] }
  | { needs: ResourceNeeds; unsatisfiable: string };

/**
 * NS-20..NS-45. A preemptible container that may fall back gets the on-demand types as well, after the spot ones: each
 * kind within the price factor of its own cheapest.
 */
export function sizeContainer(
  container: Container,
  types: Iterable<InstanceType>,
  settings: SizingSettings,
): Sizing {
  const needs = resourceNeeds(container, settings);
  const all = [...types];
  if (all.length === 0) return { needs, unsatisfiable: 'no instance types are configured' };
  const { stack } = container.constraints.gpu;
  if (!['', 'cuda', 'rocm'].includes(stack)) {
    return { needs, unsatisfiable: `gpu stack "${stack}" is not known: use "", "cuda" or "rocm"` };
  }
  const lacks = all.map((type) => ({
    type,
    lacks: lacksOf(type, container, needs, settings.onDemandFallback),
  }));
  const suitable = lacks.filter((each) => each.lacks.length === 0).map(({ type }) => type);
  if (suitable.length === 0) return { needs, unsatisfiable: explainMisfit(lacks) };
  const factor = Math.max(1, settings.maximumPriceFactor);
  const [spot, onDemand] = [true, false].map((kind) =>
    withinPrice(
      suitable.filter(({ preemptible }) => preemptible === kind),
      factor,
    ),
  );
  return { needs, instanceTypes: [...spot!, ...onDemand!] };
}

/** NS-40, NS-44. */
function withinPrice(suitable: readonly InstanceType[], factor: number): InstanceType[] {
  const limit = Math.min(...suitable.map(({ price }) => price)) * factor;
  return suitable.filter(({ price }) => price <= limit).sort(byPreference);
}

/** NS-42. */
export function byPreference(a: InstanceType, b: InstanceType): number {
  return (
    a.price - b.price ||
    b.ramBytes - a.ramBytes ||
    b.vcpus - a.vcpus ||
    b.scratchBytes - a.scratchBytes ||
    (a.name < b.name ? -1 : 1)
  );
}

/** What a type is short of, and how far off it is: orders of two for sizes, more than any size for what is of another kind. */
interface Lack {
  text: string;
  distance: number;
}

const otherKind = 64;

function lacksOf(
  type: InstanceType,
  container: Container,
  needs: ResourceNeeds,
  mayFallBack = false,
): Lack[] {
  const { gpu } = container.constraints;
  const { preemptible, onDemandFallback = mayFallBack } = container.scheduling;
  const isOtherKind = type.preemptible !== preemptible && !(onDemandFallback && preemptible);
  const lacks = [
    short('scratch', type.scratchBytes, needs.scratchBytes, gib),
    short('RAM', type.ramBytes, needs.ramBytes, gib, ' with overhead'),
    short('VCPUs', type.vcpus, needs.vcpus),
    isOtherKind && other(preemptible ? 'is not preemptible' : 'is preemptible'),
    type.gpu.stack !== gpu.stack && other(`GPU stack "${type.gpu.stack}" instead of "${gpu.stack}"`),
    short('GPUs', type.gpu.deviceCount, gpu.deviceCount),
    short('GPU memory', type.gpu.vramBytes, gpu.vramBytes, gib),
    ...(gpu.deviceCount > 0 ? gpuLacks(type, gpu) : []),
  ];
  return lacks.filter((lack) => lack !== false);
}

function short(
  name: string,
  have: number,
  needed: number,
  text: (size: number) => string = String,
  remark = '',
): Lack | false {
  if (have >= needed) return false;
  return {
    text: `${name} ${text(have)} of ${text(needed)}${remark}`,
    distance: Math.log2(needed / Math.max(have, 0.5)),
  };
}

function other(text: string): Lack {
  return { text, distance: otherKind };
}

function gpuLacks(type: InstanceType, gpu: Container['constraints']['gpu']): (Lack | false)[] {
  const byDriver = compareVersions(type.gpu.driverVersion, gpu.driverVersion);
  const targets = gpu.hardwareTarget.join('", "');
  return [
    (byDriver === undefined || byDriver < 0) &&
      other(`GPU driver "${type.gpu.driverVersion}" of "${gpu.driverVersion}"`),
    !hasTarget(type, gpu) && other(`GPU hardware "${type.gpu.hardwareTarget}" is not among "${targets}"`),
  ];
}

function hasTarget(type: InstanceType, gpu: Container['constraints']['gpu']): boolean {
  const targets = gpu.hardwareTarget;
  if (gpu.stack === 'cuda' && targets.length === 1) {
    return (compareVersions(type.gpu.hardwareTarget, targets[0]!) ?? -1) >= 0;
  }
  return targets.includes(type.gpu.hardwareTarget);
}

/** Numeric parts compared one by one, so that 11.10 is newer than 11.9; `undefined` when either is no version. */
export function compareVersions(a: string, b: string): number | undefined {
  const pattern = /^\d+(\.\d+)*$/;
  if (!pattern.test(a) || !pattern.test(b)) return undefined;
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function explainMisfit(lacks: readonly { type: InstanceType; lacks: readonly Lack[] }[]): string {
  const distance = ({ lacks }: { lacks: readonly Lack[] }): number =>
    lacks.reduce((sum, lack) => sum + lack.distance, 0);
  const closest = [...lacks]
    .sort((a, b) => distance(a) - distance(b) || byPreference(a.type, b.type))
    .slice(0, 3)
    .map((each) => `${each.type.name} (${each.lacks.map(({ text }) => text).join(', ')})`);
  return `constraints cannot be met by any configured instance type; the closest are ${closest.join('; ')}`;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
