import type { HostKeyStore, PinnedHostKey } from '../../domain/host-key.js';
import type { HostKeyTable } from './schema.js';
import { StoredByInstance, type StoredByInstanceOptions } from './stored-by-instance.js';

/** Keeps pinned host keys in the store. After a change of the leader, the next one pins by itself. */
export class StoredHostKeys extends StoredByInstance<'host_keys', PinnedHostKey> implements HostKeyStore {
  constructor(options: StoredByInstanceOptions) {
    super(options, { table: 'host_keys', what: 'host keys of instances', rowOf, valueOf: pinOf });
  }
}

function rowOf(pinned: PinnedHostKey, seenAt: number): HostKeyTable {
  const { instanceId, type, fingerprint, pinnedAt, isFinal, refused } = pinned;
  return {
    instance_id: instanceId,
    type,
    fingerprint,
    pinned_at: pinnedAt,
    seen_at: seenAt,
    is_final: isFinal ? 1 : 0,
    refused_type: refused?.type ?? '',
    refused_fingerprint: refused?.fingerprint ?? '',
  };
}

function pinOf(row: HostKeyTable): PinnedHostKey {
  const { refused_type: type, refused_fingerprint: fingerprint } = row;
  return {
    instanceId: row.instance_id,
    type: row.type,
    fingerprint: row.fingerprint,
    pinnedAt: Number(row.pinned_at),
    isFinal: Number(row.is_final) === 1,
    refused: fingerprint === '' ? undefined : { type, fingerprint },
  };
}
