import type { Container, ResourceNeeds } from '../domain/container.js';
import type { InstanceType } from '../domain/instance-type.js';
import { resourceNeeds, type NeedsSettings } from './resource-needs.js';

export interface SizingSettings extends NeedsSettings {
  maximumPriceFactor: number;
}

/** What a container needs and which types fit, cheapest first; or why none does, for its owner to read. */
export type Sizing =
  | { needs: ResourceNeeds; instanceTypes: readonly InstanceType[] }
  | { needs: ResourceNeeds; unsatisfiable: string };

/** NS-20..NS-45. */
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
  const lacks = all.map((type) => ({ type, lacks: lacksOf(type, container, needs) }));
  const suitable = lacks.filter((each) => each.lacks.length === 0).map(({ type }) => type);
  if (suitable.length === 0) return { needs, unsatisfiable: explainMisfit(lacks) };
  const limit = Math.min(...suitable.map(({ price }) => price)) * Math.max(1, settings.maximumPriceFactor);
  return { needs, instanceTypes: suitable.filter(({ price }) => price <= limit).sort(byPreference) };
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

function lacksOf(type: InstanceType, container: Container, needs: ResourceNeeds): string[] {
  const { gpu, vcpus } = container.constraints;
  const lacks: string[] = [];
  if (type.scratchBytes < needs.scratchBytes)
    lacks.push(`scratch ${gib(type.scratchBytes)} of ${gib(needs.scratchBytes)}`);
  if (type.ramBytes < needs.ramBytes)
    lacks.push(`RAM ${gib(type.ramBytes)} of ${gib(needs.ramBytes)} with overhead`);
  if (type.vcpus < vcpus) lacks.push(`${type.vcpus} of ${vcpus} VCPUs`);
  if (type.preemptible !== container.scheduling.preemptible) {
    lacks.push(container.scheduling.preemptible ? 'is not preemptible' : 'is preemptible');
  }
  if (type.gpu.stack !== gpu.stack) lacks.push(`GPU stack "${type.gpu.stack}" instead of "${gpu.stack}"`);
  if (type.gpu.deviceCount < gpu.deviceCount)
    lacks.push(`${type.gpu.deviceCount} of ${gpu.deviceCount} GPUs`);
  if (type.gpu.vramBytes < gpu.vramBytes)
    lacks.push(`GPU memory ${gib(type.gpu.vramBytes)} of ${gib(gpu.vramBytes)}`);
  if (gpu.deviceCount > 0) lacks.push(...gpuLacks(type, gpu));
  return lacks;
}

function gpuLacks(type: InstanceType, gpu: Container['constraints']['gpu']): string[] {
  const lacks: string[] = [];
  const byDriver = compareVersions(type.gpu.driverVersion, gpu.driverVersion);
  if (byDriver === undefined || byDriver < 0) {
    lacks.push(`GPU driver "${type.gpu.driverVersion}" of "${gpu.driverVersion}"`);
  }
  if (!hasTarget(type, gpu)) {
    lacks.push(`GPU hardware "${type.gpu.hardwareTarget}" is not among "${gpu.hardwareTarget.join('", "')}"`);
  }
  return lacks;
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

function explainMisfit(lacks: readonly { type: InstanceType; lacks: string[] }[]): string {
  const closest = [...lacks]
    .sort((a, b) => a.lacks.length - b.lacks.length || byPreference(a.type, b.type))
    .slice(0, 3)
    .map((each) => `${each.type.name}: ${each.lacks.join(', ')}`);
  return `constraints cannot be met by any configured instance type; the closest are ${closest.join('; ')}`;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
