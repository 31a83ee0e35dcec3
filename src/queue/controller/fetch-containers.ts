import { isFinal, type Container } from '../../domain/container.js';
import { QueueError } from '../queue.js';
import { containerFields, containerOf, itemsOf, ReplyError, tmpMountBytesOf } from './container-reply.js';
import type { ControllerClient } from './controller-client.js';
import type { MountReads } from './mount-reads.js';
import type { QueueEntry } from '../../domain/queue-entry.js';

export interface FetchOptions {
  client: ControllerClient;
  mountReads: MountReads;
  /** Of the token this dispatcher locks with. */
  tokenUuid: string;
  known: ReadonlyMap<string, QueueEntry>;
  /** So many queued containers that are not supervisors are looked for at a time. */
  lookAhead: number;
  /** The mounts of a container are of an unusable shape; it is handed on all the same. */
  onBadMounts(uuid: string, detail: string): void;
  /** The controller does not know these any more. */
  onGone(uuids: readonly string[]): void;
  /** A record that cannot be used, or whose mounts could not be had: it is passed over. */
  onFault(uuid: string, error: unknown): void;
}

interface Item {
  uuid: string;
}

const pageSize = 1_000;
/** How many are asked for by their ids at a time. */
const lookupSize = 20;

/**
 * The containers this dispatcher has locked, those it could lock, and what became of the other known ones (Q-30..Q-37).
 * Throws {@link QueueError} and {@link ReplyError}.
 */
export async function* fetchContainers(options: FetchOptions): AsyncGenerator<Container[]> {
  const missing = new Set<string>();
  for (const [uuid, { container }] of options.known) if (!isFinal(container.state)) missing.add(uuid);
  for (const read of [readMine, readAvailable]) {
    for await (const items of read(options)) {
      for (const { uuid } of items) missing.delete(uuid);
      yield await containersOf(options, items);
    }
  }
  for await (const items of readMissing(options, missing)) yield await containersOf(options, items);
}

async function list(client: ControllerClient, query: Record<string, unknown>): Promise<Item[]> {
  return itemsOf(
    await client.call('GET', 'containers', { query: { select: containerFields, count: 'none', ...query } }),
  );
}

/** By key: what is locked or ends meanwhile moves no page. */
async function* readMine({ client, tokenUuid }: FetchOptions): AsyncGenerator<Item[]> {
  for (let after: string | undefined; ;) {
    const filters = [
      ['locked_by_uuid', '=', tokenUuid],
      ...(after === undefined ? [] : [['uuid', '>', after]]),
    ];
    const items = await list(client, { filters, order: 'uuid', limit: pageSize });
    if (items.length === 0) return;
    const last = items.at(-1)!.uuid;
    if (after !== undefined && last <= after) {
      throw new QueueError('unavailable', `the controller gives the page after ${after} again and again`);
    }
    after = last;
    yield items;
  }
}

/** Until so many are known that others could not be begun anyway; supervisors do not count (Q-32, W-15). */
async function* readAvailable({ client, lookAhead }: FetchOptions): AsyncGenerator<Item[]> {
  const filters = [
    ['state', '=', 'Queued'],
    ['priority', '>', '0'],
  ];
  const limit = Math.min(lookAhead, pageSize);
  for (let offset = 0, ordinary = 0; ordinary < lookAhead;) {
    const items = await list(client, { filters, order: 'priority desc', limit, offset });
    if (items.length === 0) return;
    offset += items.length;
    ordinary += items.filter((item) => !isSupervisor(item)).length;
    yield items;
  }
}

function isSupervisor(item: Item): boolean {
  const { scheduling_parameters: wish } = item as { scheduling_parameters?: { supervisor?: unknown } | null };
  return wish?.supervisor === true;
}

/** Asked for by id, so that what changed its state or priority is found (Q-33..Q-35). */
async function* readMissing({ client, onGone }: FetchOptions, missing: Set<string>): AsyncGenerator<Item[]> {
  while (missing.size > 0) {
    const uuids = [...missing].slice(0, lookupSize);
    const items = await list(client, { filters: [['uuid', 'in', uuids]], order: 'uuid' });
    if (items.length === 0) {
      for (const uuid of uuids) missing.delete(uuid);
      onGone(uuids);
    }
    for (const { uuid } of items) {
      if (missing.delete(uuid)) continue;
      throw new QueueError('unavailable', `the controller told of ${uuid}, which it was not asked for`);
    }
    yield items;
  }
}

async function containersOf(options: FetchOptions, items: readonly Item[]): Promise<Container[]> {
  const { known, onFault } = options;
  const containers: Container[] = [];
  const strangers: Container[] = [];
  for (const item of items) {
    const entry = known.get(item.uuid);
    try {
      const container = containerOf(item, entry?.container.tmpMountBytes ?? 0);
      if (entry || isFinal(container.state)) containers.push(container);
      else strangers.push(container);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      onFault(item.uuid, error);
      // Dropping a known one would end its process.
      if (entry && !isFinal(entry.container.state)) containers.push(entry.container);
    }
  }
  return [...containers, ...(await withMounts(options, strangers))];
}

/** Of those that wait, as many as there is time for; of those that may have a process, all (Q-20, W-1). */
async function withMounts(options: FetchOptions, containers: readonly Container[]): Promise<Container[]> {
  const ready: Container[] = [];
  const isWaiting = ({ state }: Container): boolean => state === 'Queued';
  const failed = new Map<string, unknown>();
  const read = async (container: Container): Promise<void> => {
    const found = await readMounts(options, container, failed);
    if (found) ready.push(found);
  };
  const held = containers.filter((each) => !isWaiting(each));
  await options.mountReads.each(held, read, true);
  ready.push(...withoutMounts(held, failed));
  await options.mountReads.each(containers.filter(isWaiting), read, false);
  for (const [uuid, error] of failed) options.onFault(uuid, error);
  return ready;
}

async function readMounts(
  { client, onBadMounts }: FetchOptions,
  container: Container,
  failed: Map<string, unknown>,
): Promise<Container | undefined> {
  const { uuid } = container;
  try {
    const reply = await client.call('GET', `containers/${uuid}`, { query: { select: ['mounts'] } });
    return { ...container, tmpMountBytes: tmpMountBytesOf(reply) };
  } catch (error) {
    if (error instanceof ReplyError) {
      onBadMounts(uuid, error.message);
      return container;
    }
    failed.set(uuid, error);
    return undefined;
  }
}

/**
 * Left out, a container's process would be ended. One that runs has its place already, whatever its mounts are; one that
 * is only locked needs its size, so the whole update fails and is made again.
 */
function withoutMounts(held: readonly Container[], failed: ReadonlyMap<string, unknown>): Container[] {
  const unread = held.filter(({ uuid }) => failed.has(uuid));
  const locked = unread.find(({ state }) => state === 'Locked');
  if (!locked) return unread;
  const cause = failed.get(locked.uuid);
  const text = `the mounts of ${locked.uuid} cannot be read, which is locked: ${(cause as Error).message}`;
  throw new QueueError('unavailable', text, { cause });
}
