import * as z from 'zod';
import { argumentFault } from '../domain/argument-limits.js';
import { environmentFault } from '../domain/environment-fault.js';
import { parseDuration } from '../domain/duration.js';
import { parseSize } from '../domain/size.js';
import type { ContainerRecord, ContainerRequest } from '../queue/container-store.js';

const read =
  <T>(parse: (text: string) => T) =>
  (value: string | number, context: z.RefinementCtx): T => {
    try {
      return parse(String(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  };

/** For the document of the API only; validation has its own messages. */
const sizeText = String.raw`^([0-9]{1,15}( ?B)?|[0-9]{1,12} ?Ki?B|[0-9]{1,9}(\.[0-9]{1,3})? ?Mi?B|[0-9]{1,6}(\.[0-9]{1,3})? ?Gi?B|[0-9]{1,3}(\.[0-9]{1,3})? ?Ti?B)$`;
const durationText = String.raw`^(0|([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h|d)){1,3})$`;
const textWithoutNul = String.raw`^[^\u0000]*$`;

const size = z.union([z.string().meta({ pattern: sizeText }), z.int().min(0)]).transform(read(parseSize));
const duration = z
  .union([z.string().meta({ pattern: durationText }), z.literal(0)])
  .transform(read(parseDuration));
const priority = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^-?\d{1,19}$/, 'expected a whole number')
      .meta({ pattern: String.raw`^-?[0-9]{1,18}$` }),
  ])
  .transform(read((text) => BigInt(text)))
  .refine((value) => value < 2n ** 63n && value >= -(2n ** 63n), 'expected a 64-bit number');

const noNul = z
  .string()
  .refine((text) => !text.includes('\0'), 'must not contain a zero byte')
  .meta({ pattern: textWithoutNul });

/** One container of `POST /v1/containers`. */
export const containerRequestSchema = z
  .strictObject({
    name: noNul.max(200).default(''),
    command: z.array(noNul).min(1, 'expected a command: a list of words'),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), noNul, {
        error: (issue) =>
          issue.code === 'invalid_key' ? 'is not the name of an environment variable' : undefined,
      })
      .default({}),
    image: noNul.default(''),
    cwd: noNul.default(''),
    vcpus: z.int().min(0).max(100_000).default(1),
    ram: size.prefault(0),
    scratch: size.prefault(0),
    priority: priority.prefault(1),
    preemptible: z.boolean().default(false),
    supervisor: z
      .boolean()
      .default(false)
      .describe('A workflow runner: it submits other containers and waits for them.'),
    maxRunTime: duration.prefault(0),
    onDemandFallback: z.boolean().optional(),
    retry: z
      .strictObject({
        exitCodes: z
          .union([z.literal('any'), z.array(z.int().min(1).max(255)).max(255)], {
            error: () => 'expected any, or a list of numbers from 1 to 255',
          })
          .default('any'),
        delay: duration.prefault(0),
      })
      .optional(),
    attempts: z.int().min(1).max(100).default(3),
    idempotencyKey: noNul.max(200).default(''),
    gpu: z
      .strictObject({
        stack: z.enum(['cuda', 'rocm']),
        driverVersion: noNul.default(''),
        hardwareTarget: z.array(noNul).default([]),
        deviceCount: z.int().min(1).default(1),
        vram: size.prefault(0),
      })
      .optional(),
  })
  .superRefine(({ command, env, image }, context) => {
    const fault = argumentFault(command, env) ?? environmentFault(env, image);
    if (fault) context.addIssue({ code: 'custom', ...fault });
  })
  .transform((body): ContainerRequest => {
    const { gpu } = body;
    return {
      name: body.name,
      command: body.command,
      env: body.env,
      image: body.image,
      cwd: body.cwd,
      constraints: {
        vcpus: body.vcpus,
        ramBytes: body.ram,
        keepCacheRamBytes: 0,
        keepCacheDiskBytes: 0,
        gpu: {
          stack: gpu?.stack ?? '',
          driverVersion: gpu?.driverVersion ?? '',
          hardwareTarget: gpu?.hardwareTarget ?? [],
          deviceCount: gpu?.deviceCount ?? 0,
          vramBytes: gpu?.vram ?? 0,
        },
      },
      scheduling: {
        preemptible: body.preemptible,
        supervisor: body.supervisor,
        maxRunTimeMs: body.maxRunTime,
        ...(body.onDemandFallback === undefined ? {} : { onDemandFallback: body.onDemandFallback }),
        ...(body.retry && { retry: { exitCodes: body.retry.exitCodes, delayMs: body.retry.delay } }),
      },
      tmpMountBytes: body.scratch,
      priority: body.priority,
      maxAttempts: body.attempts,
      idempotencyKey: body.idempotencyKey,
    };
  });

/**
 * Returns the body with which `POST /v1/containers` creates the same container again; {@link containerRequestSchema}
 * parses it to the values of the record. It has no idempotency key, which would return the existing container.
 */
export function requestBodyOf(record: ContainerRecord): z.input<typeof containerRequestSchema> {
  const { constraints, scheduling } = record;
  const { gpu } = constraints;
  const { retry, onDemandFallback } = scheduling;
  return {
    name: record.name,
    command: [...record.command],
    env: { ...record.env },
    image: record.image,
    cwd: record.cwd,
    vcpus: constraints.vcpus,
    ram: constraints.ramBytes,
    scratch: record.tmpMountBytes,
    priority: record.priority.toString(),
    preemptible: scheduling.preemptible,
    supervisor: scheduling.supervisor,
    maxRunTime: durationBody(scheduling.maxRunTimeMs),
    ...(onDemandFallback === undefined ? {} : { onDemandFallback }),
    ...(retry && {
      retry: { exitCodes: exitCodesBody(retry.exitCodes), delay: durationBody(retry.delayMs) },
    }),
    attempts: record.maxAttempts,
    ...(gpu.deviceCount > 0 ? { gpu: gpuBody(gpu) } : {}),
  };
}

const durationBody = (ms: number): string | 0 => (ms === 0 ? 0 : `${ms}ms`);
const exitCodesBody = (codes: 'any' | readonly number[]): 'any' | number[] =>
  codes === 'any' ? codes : [...codes];

function gpuBody({ stack, driverVersion, hardwareTarget, deviceCount, vramBytes }: Gpu): GpuBody {
  return {
    stack: stack as 'cuda' | 'rocm',
    driverVersion,
    hardwareTarget: [...hardwareTarget],
    deviceCount,
    vram: vramBytes,
  };
}

type Gpu = ContainerRequest['constraints']['gpu'];
type GpuBody = NonNullable<z.input<typeof containerRequestSchema>['gpu']>;
