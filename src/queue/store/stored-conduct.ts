import type { ConductStore, RecordedConduct } from '../../domain/conduct-view.js';
import type { StrikeKind } from '../../domain/instance-limits.js';
import type { ConductTable } from './schema.js';
import { StoredByInstance, type StoredByInstanceOptions } from './stored-by-instance.js';

/** Keeps strikes and quarantines of instances in the store. */
export class StoredConduct
  extends StoredByInstance<'instance_conduct', RecordedConduct>
  implements ConductStore
{
  constructor(options: StoredByInstanceOptions) {
    super(options, { table: 'instance_conduct', what: 'strikes of instances', rowOf, valueOf });
  }
}

function rowOf(
  { instanceId, strikes, claimsRefused, quarantine }: RecordedConduct,
  seenAt: number,
): ConductTable {
  return {
    instance_id: instanceId,
    strikes: JSON.stringify(strikes),
    claims_refused: claimsRefused,
    quarantined_at: quarantine?.at ?? null,
    because: quarantine?.because ?? '',
    seen_at: seenAt,
  };
}

function valueOf(row: ConductTable): RecordedConduct {
  const at = row.quarantined_at;
  return {
    instanceId: row.instance_id,
    strikes: JSON.parse(row.strikes) as Partial<Record<StrikeKind, number>>,
    claimsRefused: Number(row.claims_refused),
    quarantine: at === null ? undefined : { at: Number(at), because: row.because },
  };
}
