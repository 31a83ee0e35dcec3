import type { RunnerListing } from '../domain/runner-listing.js';

/** What a worker knows of one container on its instance. */
export interface RunnerRecord {
  /** `starting`: the start command is under way and nobody saw the process; `collecting`: ended, result not home. */
  phase: 'starting' | 'running' | 'collecting';
  /** TERM did not help in time, or the result could not be had. */
  gaveUp: boolean;
  /** When its owner asked for it, epoch ms; `undefined` for one found on the instance. */
  queuedAt: number | undefined;
  /** Which attempt it is, where that is known. */
  attempt?: number;
}

export type RunnerRecords = Readonly<Record<string, RunnerRecord>>;

/** What a listing means for one container. */
export interface ListingChange {
  uuid: string;
  /** `adopt`: alive and not known before; `adoptEnded`: a result nobody waited for. */
  kind: 'adopt' | 'adoptEnded' | 'listed' | 'ended' | 'missing';
}

/** What was reported is a process or a result of another attempt than the record is about. */
export function isOtherAttempt(record: RunnerRecord, attempt: number | undefined): boolean {
  return record.attempt !== undefined && attempt !== undefined && record.attempt !== attempt;
}

/** Makes the records agree with a listing (P-18, R-6, R-7). What belongs to another attempt
 * than a record is not what the record waits for: it is taken up once the record is over. No changes: the records are the same object. */
export function applyListing(
  records: RunnerRecords,
  listing: RunnerListing,
  collects: boolean,
): { records: RunnerRecords; changes: ListingChange[] } {
  const changes: ListingChange[] = [];
  const next: Record<string, RunnerRecord> = { ...records };
  const present = new Set(listing.live);
  const named = (uuid: string): { attempt?: number } => {
    const attempt = listing.attempts?.[uuid];
    return attempt === undefined ? {} : { attempt };
  };
  const isOther = (uuid: string): boolean => {
    const record = records[uuid];
    return record !== undefined && isOtherAttempt(record, listing.attempts?.[uuid]);
  };
  for (const uuid of listing.live) {
    if (isOther(uuid)) {
      present.delete(uuid);
      continue;
    }
    const record = next[uuid];
    if (!record) changes.push({ uuid, kind: 'adopt' });
    else if (record.phase === 'starting') changes.push({ uuid, kind: 'listed' });
    if (!record || record.phase === 'starting')
      next[uuid] = { ...(record ?? found), ...named(uuid), phase: 'running' };
  }
  for (const uuid of collects ? listing.ended : []) {
    if (present.has(uuid) || isOther(uuid)) continue;
    present.add(uuid);
    const record = next[uuid];
    if (record?.phase === 'collecting') continue;
    changes.push({ uuid, kind: record ? 'ended' : 'adoptEnded' });
    next[uuid] = { ...(record ?? found), ...named(uuid), phase: 'collecting' };
  }
  for (const [uuid, record] of Object.entries(records)) {
    if (record.phase !== 'running' || present.has(uuid)) continue;
    changes.push({ uuid, kind: 'missing' });
    delete next[uuid];
  }
  return changes.length === 0 ? { records, changes } : { records: next, changes };
}

const found: RunnerRecord = { phase: 'running', gaveUp: false, queuedAt: undefined };

/** Since when each stale lock was seen; locks that are not stale any more are forgotten (P-15, K-12). */
export function trackStaleLocks(
  since: Readonly<Record<string, number>>,
  stale: readonly string[],
  now: number,
): Record<string, number> {
  return Object.fromEntries(stale.map((uuid) => [uuid, since[uuid] ?? now]));
}
