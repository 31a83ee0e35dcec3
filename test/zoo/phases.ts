import type { ContainerBody, ContainerWish, InstanceBody } from './daemon.js';
import type { Phase } from './kind.js';
import { until } from './until.js';
import type { ZooWorld } from './world.js';

/** What the phases before left. */
export interface Course {
  world: ZooWorld;
  /** Short containers, submitted first. */
  short: string[];
  /** One that runs until it is killed. */
  long: string;
  /** Instances of odd hosts so far. */
  oddIds: Set<string>;
}

const finalStates = ['Complete', 'Cancelled'];
const stdout = 'out ü "quoted" $HOME\n';
const stderr = 'err line\n';

/** Fills an instance, so that each instance gets its turn. */
const wholeInstance = { vcpus: 4 };

const shortWish = (name: string): ContainerWish => ({
  name,
  command: [
    'sh',
    '-c',
    `printf '%s\\n' "$1"; printf '%s\\n' "$2" >&2`,
    'sh',
    stdout.trimEnd(),
    stderr.trimEnd(),
  ],
  ...wholeInstance,
});

/** A text that is in the command lines of one container's processes only. */
const markOf = (world: ZooWorld, name: string): string => `zoo-${world.kind.name}-${name}`;

/** In the order in which they are played. Each rejects with what is not as it should be. */
export const plays: Readonly<Record<Phase, (course: Course) => Promise<void>>> = {
  boot: async (course) => {
    const { world } = course;
    const { daemon, kind, stepMs } = world;
    const names = kind.outcome.is === 'works' ? ['short'] : ['short', 'short-2'];
    course.short = await daemon.submit(...names.map(shortWish));
    if (kind.outcome.is === 'refused') return seeReason(course, kind.outcome);
    await until('the odd host to be in service', stepMs, async () => {
      const odd = await oddInstances(course);
      // What was in service shortly is found by what ran there.
      const records = await Promise.all(course.short.map((uuid) => daemon.find(uuid)));
      return (
        odd.some(({ state }) => state === 'idle' || state === 'running') ||
        (await toldOfOdd(course)).includes('idle') ||
        records.some(({ instance }) => instance.includes('odd'))
      );
    });
  },
  run: async (course) => {
    const { kind } = course.world;
    for (const uuid of course.short) await expectEnd(course.world, uuid, 0);
    if (kind.outcome.is !== 'drained') return;
    await seeReason(course, kind.outcome);
    await until('the odd host to take no more containers', course.world.stepMs, async () => {
      const odd = await oddInstances(course);
      return odd.every(({ idleBehavior, state }) => idleBehavior === 'drain' || state === 'shutdown');
    });
  },
  collect: async ({ world: { daemon }, short }) => {
    for (const uuid of short) {
      expectSame('stdout', await daemon.log(uuid, 'stdout'), stdout);
      expectSame('stderr', await daemon.log(uuid, 'stderr'), stderr);
    }
  },
  logs: async (course) => {
    const { world } = course;
    const mark = markOf(world, 'long');
    const command = ['sh', '-c', `echo "first $1"; sleep 600 & wait`, mark, mark];
    [course.long] = (await world.daemon.submit({ name: 'long', command, ...wholeInstance })) as [string];
    await runningOn(world, course.long);
    await follows(world, course.long, `first ${mark}\n`);
  },
  kill: async (course) => {
    const { world, long } = course;
    await world.daemon.call(`/v1/containers/${long}/cancel`, {});
    const { state, attempts } = await ended(world, long);
    if (state !== 'Cancelled' || attempts !== 1) throw new Error(`it is ${state} after ${attempts} attempts`);
    await gone(world, markOf(world, 'long'));
  },
  restart: async (course) => {
    const { world } = course;
    const { daemon, stepMs } = world;
    const mark = markOf(world, 'through');
    const script = 'echo "$1" >>/run/h/begun; until [ -e /run/h/go ]; do sleep 0.2; done; exit 7';
    const command = ['sh', '-c', script, mark, mark];
    const [uuid] = (await daemon.submit({ name: 'through', command, ...wholeInstance })) as [string];
    await runningOn(world, uuid);
    const begun = async (): Promise<number> => {
      const counts = await Promise.all(world.hosts().map((host) => host.sh('cat /run/h/begun 2>/dev/null')));
      return counts.reduce((sum, { out }) => sum + out.split('\n').filter((line) => line === mark).length, 0);
    };
    await until('the command to begin', stepMs, async () => (await begun()) > 0);
    const before = await placeOf(world, uuid);
    await daemon.end('SIGKILL');
    await daemon.start();
    await until('the new daemon to find the container', stepMs, async () => {
      return (await daemon.instances()).some(({ containers }) => containers.includes(uuid));
    });
    const after = await placeOf(world, uuid);
    if (after?.appearedAt !== before?.appearedAt) {
      throw new Error(
        `its instance appeared at ${before?.appearedAt}, and after the restart at ${after?.appearedAt}`,
      );
    }
    for (const host of world.hosts()) await host.sh('touch /run/h/go');
    await expectEnd(world, uuid, 7);
    if ((await begun()) !== 1) throw new Error(`the command ran ${await begun()} times`);
    await gone(world, mark);
  },
};

async function placeOf({ daemon }: ZooWorld, uuid: string): Promise<InstanceBody | undefined> {
  return (await daemon.instances()).find(({ containers }) => containers.includes(uuid));
}

async function oddInstances({ world, oddIds }: Course): ReturnType<ZooWorld['daemon']['instances']> {
  const odd = (await world.daemon.instances()).filter(({ instance }) => instance.includes('odd'));
  for (const { instance } of odd) oddIds.add(instance);
  return odd;
}

/** What a person can read of the odd host, under all instance ids it had. */
async function toldOfOdd(course: Course): Promise<string> {
  await oddInstances(course);
  const told = await Promise.all([...course.oddIds].map((id) => course.world.daemon.told(id)));
  return told.join('\n');
}

async function seeReason(course: Course, outcome: { withinMs: number; because: RegExp }): Promise<void> {
  let told = '';
  const withinMs = outcome.withinMs * (course.world.kind.patience ?? 1);
  try {
    await until(`the reason ${outcome.because}`, withinMs, async () => {
      told = await toldOfOdd(course);
      return outcome.because.test(told);
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}; told was: ${told.split('\n').slice(-8).join(' | ')}`, {
      cause: error,
    });
  }
}

export async function runningOn(world: ZooWorld, uuid: string): Promise<void> {
  await until(
    `${uuid} to run`,
    world.stepMs,
    async () => (await world.daemon.find(uuid)).state === 'Running',
  );
}

export async function ended(world: ZooWorld, uuid: string): Promise<ContainerBody> {
  let last: ContainerBody | undefined;
  try {
    return await until(`${uuid} to end`, world.stepMs, async () => {
      last = await world.daemon.find(uuid);
      return finalStates.includes(last.state) && last;
    });
  } catch (error) {
    const { state = '', attempts = 0, instance = '' } = last ?? {};
    const told = await world.daemon.told(uuid);
    const about = `it is ${state} on ${instance || 'no instance'} after ${attempts} attempts: ${told.slice(0, 600)}`;
    throw new Error(`${(error as Error).message}; ${about}`, { cause: error });
  }
}

/** Its first attempt ended by itself, on the host that is to do the work. */
export async function expectEnd(world: ZooWorld, uuid: string, exitCode: number): Promise<ContainerBody> {
  const record = await ended(world, uuid);
  const place = world.kind.outcome.is === 'works' ? 'odd' : 'plain';
  const { state, attempts, instance } = record;
  if (state !== 'Complete' || record.exitCode !== exitCode || attempts !== 1 || !instance.includes(place)) {
    const how = `${state}, exit ${record.exitCode}, ${attempts} attempts, on ${instance}: ${record.error}`;
    throw new Error(`${record.name}: expected exit ${exitCode}, attempt 1, on ${place}; it is ${how}`);
  }
  return record;
}

/** The followed output has the text while the container runs. */
export async function follows(world: ZooWorld, uuid: string, text: string): Promise<void> {
  let read = '';
  await until(`the output of ${uuid} while it runs`, world.stepMs, async () => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), world.stepMs / 2);
    try {
      const response = await world.daemon.ask(
        `/v1/containers/${uuid}/logs?follow=1`,
        undefined,
        abort.signal,
      );
      read = '';
      for await (const chunk of response.body!) {
        read += Buffer.from(chunk as Uint8Array).toString();
        if (read.includes(text)) return response.ok;
      }
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
    return false;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it was ${JSON.stringify(read.slice(0, 300))}`, { cause: error });
  });
  if (read !== text) throw new Error(`the followed output is ${JSON.stringify(read.slice(0, 300))}`);
}

/** No process of any host has the text in its command line. */
export async function gone(world: ZooWorld, mark: string): Promise<void> {
  await until(`the processes of ${mark} to be gone`, world.stepMs, async () => {
    const counts = await Promise.all(world.hosts().map((host) => host.countOf(mark)));
    return counts.every((count) => count === 0);
  });
}

function expectSame(what: string, actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`${what} is ${JSON.stringify(actual.slice(0, 300))}`);
}
