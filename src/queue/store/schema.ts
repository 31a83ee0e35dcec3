import { type Generated, type Kysely } from 'kysely';

/** A container; times are epoch ms, sizes bytes. Later versions only add columns. */
export interface ContainerTable {
  uuid: string;
  /** Grows with every write to any row: a reader that knows the last one it saw asks only for newer rows. */
  revision: number;
  state: string;
  /** 64 bits as 20 digits, so that text order is number order on every database. */
  priority: string;
  name: string;
  command: string;
  env: string;
  image: string;
  cwd: string;
  constraints: string;
  scheduling: string;
  tmp_mount_bytes: number;
  created_at: number;
  idempotency_key: string | null;
  /** How often it was begun: the number of its latest attempt, never used again. */
  attempts: number;
  /** Those of them that ran nothing of it, and that do not count against `max_attempts`. */
  uncharged_attempts: number;
  /** The instance that the latest attempt was given to; stays when the attempt is over. */
  attempt_instance: string;
  max_attempts: number;
  lock_count: number;
  instance_id: string;
  instance_type: string;
  price_per_hour: number;
  started_at: number | null;
  finished_at: number | null;
  exit_code: number | null;
  error: string;
  cost: number | null;
}

export interface OutputTable {
  uuid: string;
  stdout: string;
  stderr: string;
  /** `json`: both are JSON strings, because one has a zero byte, which text columns do not hold. Else `plain`. */
  encoding: string;
}

export interface JournalTable {
  id: Generated<number>;
  at: number;
  kind: string;
  instance: string | null;
  container: string | null;
  entry: string;
}

export interface IntentTable {
  fingerprint: string;
  instance_type: string;
  at: number;
  /** `null` while nobody knows. */
  outcome: string | null;
}

/** One row: who leads, and since when it does not change. */
export interface LeadershipTable {
  id: number;
  /** Grows with each take-over. */
  epoch: number;
  /** Grows with each sign of life. */
  beat: number;
  /** `''`: nobody leads. */
  holder: string;
  /** Where the leader's API is. */
  url: string;
  /** The instance set the containers of this store run on; `''` before the first leader. */
  set_id: string;
}

/** What drivers keep: one row for each that does. */
export interface DriverRecordTable {
  name: string;
  text: string;
  /** Grows by one with each write. */
  version: number;
}

/** Logins of browsers; of the secret only the hash. */
export interface PageSessionTable {
  hash: string;
  address: string;
  opened_at: number;
  expires_at: number;
}

/** An instance that is, or lately was, in the provider's list. */
export interface SightingTable {
  instance_id: string;
  /** When it was asked for, or first seen where that is not known. */
  first_seen_at: number;
  /** When a daemon last began to look after it. */
  seen_at: number;
  instance_type: string;
  price_per_hour: number;
}

/** The host key that an instance is bound to, and the one that was refused last. */
export interface HostKeyTable {
  instance_id: string;
  type: string;
  fingerprint: string;
  pinned_at: number;
  /** When a daemon last wrote it. */
  seen_at: number;
  /** 0 while the instance boots, then 1. */
  is_final: number;
  /** `''`: none was. */
  refused_type: string;
  refused_fingerprint: string;
}

/** What an instance did that it must not, and its quarantine. */
export interface ConductTable {
  instance_id: string;
  /** JSON: how many strikes, by kind. */
  strikes: string;
  claims_refused: number;
  /** `null`: it is in none. */
  quarantined_at: number | null;
  /** Why it is in quarantine. */
  because: string;
  /** When a daemon last wrote it. */
  seen_at: number;
}

/** One row: what a write of the leader must find, and the number it gets. */
export interface FenceTable {
  id: number;
  epoch: number;
  revision: number;
}

/** One row, in an embedded store only: its name, which the marker beside the file has as well. */
export interface StoreIdentityTable {
  id: number;
  store: string;
}

export interface StoreSchema {
  leadership: LeadershipTable;
  fence: FenceTable;
  containers: ContainerTable;
  outputs: OutputTable;
  journal: JournalTable;
  intents: IntentTable;
  driver_records: DriverRecordTable;
  page_sessions: PageSessionTable;
  store_identity: StoreIdentityTable;
  sightings: SightingTable;
  host_keys: HostKeyTable;
  instance_conduct: ConductTable;
}

export type Store = Kysely<StoreSchema>;
