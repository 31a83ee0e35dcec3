import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { ConfigError, type ConfigProblem } from '../../config/config-error.js';
import { YamlFile } from '../../config/yaml-file.js';
import { parseDuration } from '../../domain/duration.js';
import { parseSize } from '../../domain/size.js';
import { SeededRandom } from '../seeded-random.js';
import { generateWorkload, plainRequest, type WorkItem, type WorkSize, type Workload } from '../workload.js';
import type { WorldSettings } from '../world-settings.js';
import { workOfJournal } from './journal-workload.js';

/** What a forecast is made for. */
export interface WorkloadPlan {
  workload: Workload;
  /** How long work arrives. */
  hours: number;
  /** How the provider differs from the usual one. */
  world: Partial<WorldSettings>;
  /** What was left out, for people. */
  notes: readonly string[];
}

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
const duration = z
  .union([z.string(), z.literal(0)], { error: () => 'give a duration like 10m or 1h30m' })
  .transform(read(parseDuration));
const size = z
  .union([z.string(), z.int().min(0)], { error: () => 'give a size like 4GiB' })
  .transform(read(parseSize));
const share = z.number().min(0).max(1);

const sizeFile = z.strictObject({
  weight: z.number().min(0).default(1),
  vcpus: z.int().min(1),
  ram: size,
  preemptible: z.boolean().default(false),
  duration,
  spread: z.number().min(0).max(3).default(0.3),
});

const generator = z.strictObject({
  name: z.string().default('work'),
  from: duration.prefault(0),
  to: duration.optional(),
  perHour: z.number().positive().max(1_000_000),
  batch: z.int().min(1).default(1),
  failingShare: share.default(0),
  maxAttempts: z.int().min(1).default(3),
  sizes: z.array(sizeFile).min(1),
});

const explicit = z.strictObject({
  at: duration.prefault(0),
  count: z.int().min(1).max(1_000_000).default(1),
  name: z.string().default('work'),
  vcpus: z.int().min(1),
  ram: size,
  scratch: size.prefault(0),
  preemptible: z.boolean().default(false),
  priority: z.int().min(1).default(500),
  duration,
  exitCode: z.int().min(0).max(255).default(0),
  maxAttempts: z.int().min(1).default(3),
});

const provider = z.strictObject({
  createDelay: duration.optional(),
  boot: duration.optional().describe('Median time from the address to a system that is up.'),
  bootSpread: z.number().min(0).max(3).optional(),
  deadBootShare: share.optional(),
  destroyDelay: duration.optional(),
  interruptionsPerHour: z.number().min(0).optional(),
  quota: z.int().min(0).optional(),
  capacity: z.record(z.string(), z.int().min(0)).optional(),
});

const workloadFile = z
  .strictObject({
    hours: z.number().positive().max(8_784).optional(),
    generate: z.array(generator).default([]),
    containers: z.array(explicit).default([]),
    journal: z.string().optional().describe('Path of an exported journal, seen from this file.'),
    provider: provider.prefault({}),
  })
  .refine(({ generate, containers, journal }) => generate.length + containers.length > 0 || journal, {
    message: 'says nothing of any container: give generate, containers or journal',
  });

type WorkloadFile = z.infer<typeof workloadFile>;
type Generator = WorkloadFile['generate'][number];

const hourMs = 3_600_000;
const defaultHours = 24;

/**
 * Reads a workload: generated, written out, taken from a past journal, or all of them. A path that ends in `.jsonl` is a
 * journal itself. The same file and seed give the same workload. Throws {@link ConfigError} with every problem.
 */
export async function loadWorkload(path: string, seed: number): Promise<WorkloadPlan> {
  if (path.endsWith('.jsonl')) {
    const { work, notes } = await workOfJournal(path);
    return { workload: work, hours: hoursOf(work), world: {}, notes };
  }
  const file = parseWorkload(path);
  const hours = file.hours;
  const items: WorkItem[] = [...file.containers.flatMap(writtenOut)];
  for (const [index, each] of file.generate.entries()) {
    items.push(...generated(each, hours ?? defaultHours, `${seed} ${index}`));
  }
  const notes: string[] = [];
  if (file.journal !== undefined) {
    const past = await workOfJournal(resolve(dirname(path), file.journal));
    items.push(...past.work);
    notes.push(...past.notes);
  }
  items.sort((a, b) => a.atMs - b.atMs);
  const needed = file.generate.length > 0 ? defaultHours : hoursOf(items);
  return { workload: items, hours: hours ?? needed, world: worldOf(file.provider), notes };
}

function parseWorkload(path: string): WorkloadFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(path, [{ path: '', message: `cannot be read (${code}): give a workload file` }]);
  }
  const yaml = new YamlFile(text);
  const syntax = yaml.syntaxProblems();
  if (syntax.length > 0) throw new ConfigError(path, syntax);
  const parsed = workloadFile.safeParse(yaml.data());
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path: place, message }): ConfigProblem => ({
    path: place.map(String).join('.'),
    message,
    ...yaml.placeOf(place),
  }));
  throw new ConfigError(path, problems);
}

function writtenOut(each: WorkloadFile['containers'][number]): WorkItem[] {
  const { at, count, name, vcpus, ram, scratch, preemptible, priority, exitCode, maxAttempts } = each;
  return Array.from({ length: count }, (_, index) => ({
    atMs: at,
    durationMs: Math.max(1, each.duration),
    exitCode,
    request: {
      ...plainRequest,
      name: count === 1 ? name : `${name}-${index + 1}`,
      constraints: { ...plainRequest.constraints, vcpus, ramBytes: ram },
      scheduling: { ...plainRequest.scheduling, preemptible },
      tmpMountBytes: scratch,
      priority: BigInt(priority),
      maxAttempts,
    },
  }));
}

function generated(each: Generator, hours: number, seed: string): WorkItem[] {
  const { from, to = hours * hourMs, perHour, batch, failingShare, maxAttempts, name } = each;
  const sizes = each.sizes.map(
    ({ weight, vcpus, ram, preemptible, duration: durationMs, spread }): WorkSize => ({
      weight,
      vcpus,
      ramBytes: ram,
      preemptible,
      durationMs,
      durationSpread: spread,
    }),
  );
  const shape = { hours: Math.max(0, to - from) / hourMs, perHour, batch, failingShare, maxAttempts, sizes };
  return generateWorkload(shape, new SeededRandom(seed)).map((item, index) => ({
    ...item,
    atMs: item.atMs + from,
    request: { ...item.request, name: `${name}-${index + 1}` },
  }));
}

function worldOf(file: WorkloadFile['provider']): Partial<WorldSettings> {
  const settings: Partial<WorldSettings> = {
    createDelayMs: file.createDelay,
    bootMs: file.boot,
    bootSpread: file.bootSpread,
    deadBootShare: file.deadBootShare,
    destroyDelayMs: file.destroyDelay,
    interruptionsPerHour: file.interruptionsPerHour,
    quota: file.quota,
    capacity: file.capacity,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Whole hours in which all of it arrives. */
function hoursOf(items: Workload): number {
  return Math.max(1, Math.ceil((items.at(-1)?.atMs ?? 0) / hourMs));
}
