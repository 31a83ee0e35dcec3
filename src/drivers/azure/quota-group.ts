import type { InstanceType } from '../../domain/instance-type.js';

/** All spot machines of a region share one quota, whatever their family. */
export const spotQuotaGroup = 'spot';

/**
 * The VM family whose core quota a size counts against (DI-8, DW-8): `Standard_D4s_v5` and `Standard_D64s_v5` are
 * both `DSv5`. The size names are Azure's: family letters, number of cores, additive features, version. A name that is
 * built differently is a group of its own.
 */
export function azureQuotaGroup({ providerType, preemptible }: InstanceType): string {
  if (preemptible) return spotQuotaGroup;
  const parts =
    /^(?:Standard|Basic)_([A-Z]+?)(S?)\d+(?:-\d+)?([a-z]*)((?:_[A-Z0-9-]+)*?)(?:_v(\d+))?(?:_Promo)?$/.exec(
      providerType,
    );
  if (!parts) return providerType;
  const [, family, oldPremium, features = '', accelerator, version] = parts;
  // More memory of the same family, or less, is no family of its own; in the B series neither is a tiny one.
  const counted = features.replaceAll(family === 'B' ? /[mtl]/g : /m/g, '').toUpperCase();
  return `${family}${oldPremium}${counted}${accelerator}${version === undefined ? '' : `v${version}`}`;
}
