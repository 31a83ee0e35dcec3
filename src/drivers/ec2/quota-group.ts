import type { InstanceType } from '../../domain/instance-type.js';

/**
 * Types that share a vCPU quota (EC-64): the letters the type begins with, or what the longest configured beginning says
 * that is at least as long. Spot instances have quotas of their own.
 */
export function quotaGroupOf(
  { providerType, preemptible }: Pick<InstanceType, 'providerType' | 'preemptible'>,
  groups: Readonly<Record<string, string>>,
): string {
  const type = providerType.toLowerCase();
  const letters = /^[a-z]*(?=[^a-z])/.exec(type)?.[0] ?? '';
  let group = letters;
  for (let length = letters.length; letters !== '' && length < type.length; length++) {
    const beginning = type.slice(0, length);
    if (Object.hasOwn(groups, beginning)) group = groups[beginning]!;
  }
  return preemptible ? `${group}-spot` : group;
}
