import type { Selectable } from 'kysely';
import type { Container, ContainerState } from '../../domain/container.js';
import type { ContainerRecord, ContainerRequest } from '../container-store.js';
import type { ContainerTable } from './schema.js';

export type ContainerRow = Selectable<ContainerTable>;

const bias = 2n ** 63n;

/** Twenty digits whose text order is the order of the numbers. */
export function encodePriority(priority: bigint): string {
  return (priority + bias).toString().padStart(20, '0');
}

export function decodePriority(text: string): bigint {
  return BigInt(text) - bias;
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

/** Throws when a column does not hold what it should. */
export function containerOf(row: ContainerRow): Container {
  return {
    uuid: row.uuid,
    state: row.state as ContainerState,
    priority: decodePriority(row.priority),
    constraints: JSON.parse(row.constraints) as Container['constraints'],
    scheduling: JSON.parse(row.scheduling) as Container['scheduling'],
    image: row.image,
    tmpMountBytes: Number(row.tmp_mount_bytes),
    createdAt: Number(row.created_at),
  };
}

/** Throws when a column does not hold what it should. */
export function recordOf(row: ContainerRow): ContainerRecord {
  const container = containerOf(row);
  return {
    ...container,
    name: row.name,
    command: JSON.parse(row.command) as string[],
    env: JSON.parse(row.env) as Record<string, string>,
    cwd: row.cwd,
    vcpus: container.constraints.vcpus,
    ramBytes: container.constraints.ramBytes,
    maxRunTimeMs: container.scheduling.maxRunTimeMs,
    attempts: row.attempts,
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

function orUndefined(value: number | null): number | undefined {
  return value === null ? undefined : Number(value);
}
