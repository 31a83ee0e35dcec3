import { argumentFault } from '../../domain/argument-limits.js';
import { environmentFault } from '../../domain/environment-fault.js';
import { containerUuidFrom } from '../../domain/ids.js';
import type { ContainerRequest } from '../container-store.js';
import { QueueError } from '../queue.js';
import { rowOf, type ContainerRow } from './container-rows.js';
import { eventLoopTurn } from '../../async/event-loop-turn.js';
import { takeRevisions } from './write-rows.js';
import type { Store } from './schema.js';

export interface SubmitOptions {
  clusterId: string;
  /** At least 15 fresh random bytes. */
  randomBytes(): Uint8Array;
  /** Names this daemon among the writers of the store. */
  writer: string;
  now: number;
}

/** Rows of 25 columns in a statement: with more, the embedded database holds up the event loop for too long. */
const insertSize = 100;
const longestText = 4_096;

/**
 * Writes the containers that are asked for, all or none, in one transaction; the same key never makes a second one.
 * Returns their ids in the order of the requests, and the rows that are new.
 */
export async function submitContainers(
  db: Store,
  requests: readonly ContainerRequest[],
  options: SubmitOptions,
): Promise<{ uuids: string[]; fresh: ContainerRow[] }> {
  for (let from = 0; from < requests.length; from += insertSize) {
    if (from > 0) await eventLoopTurn();
    requests.slice(from, from + insertSize).forEach((request, index) => checkRequest(request, from + index));
  }
  return db.transaction().execute(async (transaction) => {
    let revision = await takeRevisions(transaction, requests.length, options.writer);
    // Read once all others wait: two requests with the same key can not miss each other.
    const byKey = await knownKeys(transaction, requests);
    const fresh: ContainerRow[] = [];
    const uuids: string[] = [];
    for (let from = 0; from < requests.length; from += insertSize) {
      if (from > 0) await eventLoopTurn();
      const rows: ContainerRow[] = [];
      for (const request of requests.slice(from, from + insertSize)) {
        const { idempotencyKey } = request;
        const earlier = idempotencyKey === '' ? undefined : byKey.get(idempotencyKey);
        const uuid = earlier ?? containerUuidFrom(options.clusterId, options.randomBytes());
        uuids.push(uuid);
        if (earlier !== undefined) continue;
        rows.push(rowOf(uuid, request, options.now, revision++));
        byKey.set(idempotencyKey, uuid);
      }
      if (rows.length === 0) continue;
      await transaction.insertInto('containers').values(rows).execute();
      for (const row of rows) fresh.push(row);
    }
    return { uuids, fresh };
  });
}

/** The containers that were asked for with these keys before, by key. */
async function knownKeys(db: Store, requests: readonly ContainerRequest[]): Promise<Map<string, string>> {
  const keys = requests.map(({ idempotencyKey }) => idempotencyKey).filter((key) => key !== '');
  const found = new Map<string, string>();
  for (let from = 0; from < keys.length; from += insertSize) {
    const rows = await db
      .selectFrom('containers')
      .select(['uuid', 'idempotency_key'])
      .where('idempotency_key', 'in', keys.slice(from, from + insertSize))
      .execute();
    for (const row of rows) found.set(row.idempotency_key!, row.uuid);
  }
  return found;
}

/** What the store must be able to rely on, whoever asks; the API checks more and says it better. */
function checkRequest(request: ContainerRequest, index: number): void {
  const { constraints, scheduling, command, env, priority, maxAttempts, tmpMountBytes } = request;
  const { vcpus, ramBytes, keepCacheRamBytes, keepCacheDiskBytes, gpu } = constraints;
  const sizes = { vcpus, ramBytes, keepCacheRamBytes, keepCacheDiskBytes, tmpMountBytes };
  const fail = (field: string, text: string): never => {
    throw new QueueError('invalid', `container ${index + 1} of the request: ${field} ${text}`);
  };
  if (command.length === 0) fail('command', 'is empty');
  if (BigInt.asIntN(64, priority) !== priority) fail('priority', 'is not a number of 64 bits');
  if (!Number.isSafeInteger(maxAttempts) || maxAttempts < 1) fail('maxAttempts', 'is not 1 or more');
  for (const [field, size] of Object.entries({ ...sizes, ...gpuSizes(gpu), ...timesOf(scheduling) })) {
    if (!Number.isSafeInteger(size) || size < 0) fail(field, 'is not a whole number of 0 or more');
  }
  for (const field of ['name', 'image', 'cwd', 'idempotencyKey'] as const) {
    if (request[field].includes('\0')) fail(field, 'has a zero byte');
    if (request[field].length > longestText) fail(field, `is longer than ${longestText}`);
  }
  const words = [...command, ...Object.entries(env).flat()];
  if (words.some((word) => word.includes('\0'))) fail('command or env', 'has a zero byte');
  const fault = argumentFault(command, env) ?? environmentFault(env, request.image);
  if (fault) fail(fault.path.join('.'), fault.message);
}

function gpuSizes({
  deviceCount,
  vramBytes,
}: ContainerRequest['constraints']['gpu']): Record<string, number> {
  return { 'gpu.deviceCount': deviceCount, 'gpu.vramBytes': vramBytes };
}

function timesOf({ maxRunTimeMs, retry }: ContainerRequest['scheduling']): Record<string, number> {
  return { maxRunTimeMs, 'retry.delayMs': retry?.delayMs ?? 0 };
}
