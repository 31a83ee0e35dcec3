import * as z from 'zod';
import { containerStates, type Container } from '../../domain/container.js';
import { isContainerUuid } from '../../domain/ids.js';

/** The fields of a container that the dispatcher reads (CR-1, Q-30). */
export const containerFields = [
  'uuid',
  'state',
  'priority',
  'runtime_constraints',
  'container_image',
  'scheduling_parameters',
  'created_at',
] as const;

const amount = z
  .number()
  .min(0)
  .nullish()
  .transform((value) => value ?? 0);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
/** The client makes text of it (CR-6). */
const priority = z.union([z.string().regex(/^-?\d+$/), z.int()]).transform((value) => BigInt(value));

const gpu = z.object({
  stack: text,
  driver_version: text,
  hardware_target: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? []),
  device_count: amount,
  vram: amount,
});

const record = z.object({
  uuid: z.string().refine(isContainerUuid, 'is no id of a container'),
  state: z.enum(containerStates),
  priority,
  runtime_constraints: z.object({
    ram: amount,
    vcpus: amount,
    keep_cache_ram: amount,
    keep_cache_disk: amount,
    gpu: gpu.nullish().transform((value) => value ?? gpu.parse({})),
  }),
  container_image: text,
  scheduling_parameters: z
    .object({ preemptible: flag, supervisor: flag })
    .nullish()
    .transform((value) => value ?? { preemptible: false, supervisor: false }),
  created_at: z
    .string()
    .nullish()
    .transform((value) => Date.parse(value ?? '') || 0),
});

/** A reply of the controller is not what its API promises. */
export class ReplyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReplyError';
  }
}

/** A container of the controller; `tmpMountBytes` is not in it. Throws {@link ReplyError}. */
export function containerOf(reply: unknown, tmpMountBytes: number): Container {
  const { uuid, state, runtime_constraints, ...rest } = read(record, reply, 'container');
  const { gpu: wish, ...wanted } = runtime_constraints;
  return {
    uuid,
    state,
    priority: rest.priority,
    constraints: {
      vcpus: wanted.vcpus,
      ramBytes: wanted.ram,
      keepCacheRamBytes: wanted.keep_cache_ram,
      keepCacheDiskBytes: wanted.keep_cache_disk,
      gpu: {
        stack: wish.stack,
        driverVersion: wish.driver_version,
        hardwareTarget: wish.hardware_target,
        deviceCount: wish.device_count,
        vramBytes: wish.vram,
      },
    },
    // Its maximum run time is the runner's business.
    scheduling: { ...rest.scheduling_parameters, maxRunTimeMs: 0 },
    image: rest.container_image,
    tmpMountBytes,
    createdAt: rest.created_at,
  };
}

const change = z.object({ state: z.enum(containerStates), priority });

/** What a reply to a change tells of the container. Throws {@link ReplyError}. */
export function changeOf(reply: unknown): Pick<Container, 'state' | 'priority'> {
  return read(change, reply, 'container');
}

const details = z.object({
  lock_count: amount,
  runtime_status: z
    .object({ error: z.string().catch('') })
    .nullish()
    .catch(undefined),
});

/** What only people want to know of a container. Throws {@link ReplyError}. */
export function detailsOf(reply: unknown): { error: string; lockCount: number } {
  const { lock_count, runtime_status } = read(details, reply, 'container');
  return { error: runtime_status?.error ?? '', lockCount: lock_count };
}

const page = z.object({ items: z.array(z.object({ uuid: z.string() }).loose()) });

/** The records of one page. Throws {@link ReplyError}. */
export function itemsOf(reply: unknown): { uuid: string }[] {
  return read(page, reply, 'list').items;
}

/** Throws {@link ReplyError}. */
export function uuidOf(reply: unknown): string {
  return read(z.object({ uuid: z.string() }), reply, 'token').uuid;
}

const mount = z.object({ kind: text, capacity: amount });
const mountsReply = z.object({ mounts: z.unknown() });
const mounts = z
  .record(z.string(), mount)
  .nullish()
  .transform((value) => value ?? {});

/** Bytes of a container's temporary mounts (CR-4, NS-6). Throws {@link ReplyError}, for its owner to read. */
export function tmpMountBytesOf(reply: unknown): number {
  const all = read(mounts, read(mountsReply, reply, 'container').mounts, 'mounts');
  return Object.values(all).reduce((sum, { kind, capacity }) => sum + (kind === 'tmp' ? capacity : 0), 0);
}

function read<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
  throw new ReplyError(`${[what, ...path.map(String)].join('.')}: ${message}`);
}
