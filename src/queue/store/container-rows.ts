import type { Selectable } from 'kysely';
import { containerStates, type Container, type ContainerState } from '../../domain/container.js';
import type { ContainerRecord, ContainerRequest } from '../container-store.js';
import type { ContainerTable } from './schema.js';

export type ContainerRow = Selectable<ContainerTable>;

/** The columns the queue needs: not those that only the runner and the owner look at. */
export const queueColumns = [
  'uuid',
  'revision',
  'state',
  'priority',
  'constraints',
  'scheduling',
  'image',
  'tmp_mount_bytes',
  'created_at',
  'instance_id',
  'attempts',
] as const;

export type QueueRow = Pick<ContainerRow, (typeof queueColumns)[number]>;

/** A row whose column does not hold what it should. */
export class RowFault extends Error {
  readonly uuid: string;
  readonly column: string;
  constructor(uuid: string, column: string, options?: { cause: unknown }) {
    super(`container ${uuid}: its ${column} in the store is damaged`, options);
    this.name = 'RowFault';
    this.uuid = uuid;
    this.column = column;
  }
}

const bias = 2n ** 63n;

/** Twenty digits whose text order is the order of the numbers. */
export function encodePriority(priority: bigint): string {
  return (priority + bias).toString().padStart(20, '0');
}

export function rowOf(
  uuid: string,
  request: ContainerRequest,
  createdAt: number,
  revision: number,
): ContainerRow {
  return {
    uuid,
    revision,
    state: 'Queued',
    priority: encodePriority(request.priority),
    name: request.name,
    command: JSON.stringify(request.command),
    env: JSON.stringify(request.env),
    image: request.image,
    cwd: request.cwd,
    constraints: JSON.stringify(request.constraints),
    scheduling: JSON.stringify(request.scheduling),
    tmp_mount_bytes: request.tmpMountBytes,
    created_at: createdAt,
    idempotency_key: request.idempotencyKey === '' ? null : request.idempotencyKey,
    attempts: 0,
    uncharged_attempts: 0,
    attempt_instance: '',
    max_attempts: request.maxAttempts,
    lock_count: 0,
    instance_id: '',
    instance_type: '',
    price_per_hour: 0,
    started_at: null,
    finished_at: null,
    exit_code: null,
    error: '',
    cost: null,
  };
}

/** How many attempts ran, or may have: those that count. */
export function chargedAttempts(row: Pick<ContainerRow, 'attempts' | 'uncharged_attempts'>): number {
  return row.attempts - row.uncharged_attempts;
}

/** Throws {@link RowFault}. */
export function containerOf(row: QueueRow): Container {
  return {
    uuid: row.uuid,
    state: readState(row),
    priority: readPriority(row),
    constraints: readJson(row.uuid, 'constraints', row.constraints, isConstraints),
    scheduling: readJson(row.uuid, 'scheduling', row.scheduling, isScheduling),
    image: row.image,
    tmpMountBytes: readNumber(row.uuid, 'tmp_mount_bytes', row.tmp_mount_bytes),
    createdAt: readNumber(row.uuid, 'created_at', row.created_at),
    instanceId: row.instance_id,
    attempt: readNumber(row.uuid, 'attempts', row.attempts),
  };
}

/** Throws {@link RowFault}. */
export function recordOf(row: ContainerRow): ContainerRecord {
  const container = containerOf(row);
  return {
    ...container,
    name: row.name,
    command: readJson(row.uuid, 'command', row.command, isWords),
    env: readJson(row.uuid, 'env', row.env, isEnv),
    cwd: row.cwd,
    vcpus: container.constraints.vcpus,
    ramBytes: container.constraints.ramBytes,
    maxRunTimeMs: container.scheduling.maxRunTimeMs,
    attempts: chargedAttempts(row),
    maxAttempts: row.max_attempts,
    lockCount: row.lock_count,
    instanceId: row.instance_id,
    instanceTypeName: row.instance_type,
    startedAt: orUndefined(row.started_at),
    finishedAt: orUndefined(row.finished_at),
    exitCode: orUndefined(row.exit_code),
    error: row.error,
    cost: row.cost ?? undefined,
  };
}

function readState({ uuid, state }: QueueRow): ContainerState {
  const known = containerStates.find((each) => each === state);
  if (known === undefined) throw new RowFault(uuid, 'state');
  return known;
}

function readPriority({ uuid, priority }: QueueRow): bigint {
  if (!/^\d{20}$/.test(priority)) throw new RowFault(uuid, 'priority');
  return BigInt(priority) - bias;
}

/** Some databases hand 64-bit columns out as text. */
function readNumber(uuid: string, column: string, value: unknown): number {
  const number = Number(value);
  if (value === null || !Number.isFinite(number)) throw new RowFault(uuid, column);
  return number;
}

function readJson<T>(uuid: string, column: string, text: string, fits: (value: unknown) => value is T): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RowFault(uuid, column, { cause });
  }
  if (!fits(value)) throw new RowFault(uuid, column);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isConstraints(value: unknown): value is Container['constraints'] {
  if (!isRecord(value) || !isRecord(value['gpu'])) return false;
  const { gpu } = value;
  return (
    ['vcpus', 'ramBytes', 'keepCacheRamBytes', 'keepCacheDiskBytes'].every((key) =>
      Number.isFinite(value[key]),
    ) &&
    typeof gpu['stack'] === 'string' &&
    typeof gpu['driverVersion'] === 'string' &&
    isWords(gpu['hardwareTarget']) &&
    Number.isFinite(gpu['deviceCount']) &&
    Number.isFinite(gpu['vramBytes'])
  );
}

function isScheduling(value: unknown): value is Container['scheduling'] {
  return (
    isRecord(value) &&
    typeof value['preemptible'] === 'boolean' &&
    typeof value['supervisor'] === 'boolean' &&
    Number.isFinite(value['maxRunTimeMs']) &&
    isRetry(value['retry']) &&
    ['number', 'undefined'].includes(typeof value['notBeforeAt'])
  );
}

function isRetry(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isRecord(value) || !Number.isFinite(value['delayMs'])) return false;
  const codes = value['exitCodes'];
  return codes === 'any' || (Array.isArray(codes) && codes.every(Number.isInteger));
}

function isWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((word) => typeof word === 'string');
}

function isEnv(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((each) => typeof each === 'string');
}

function orUndefined(value: number | null): number | undefined {
  return value === null ? undefined : Number(value);
}
