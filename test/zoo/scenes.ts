import type { ContainerBody } from './daemon.js';
import type { Scene } from './kind.js';
import { ended, expectEnd, follows, gone, runningOn } from './phases.js';
import { until } from './until.js';
import type { ZooWorld } from './world.js';

const mark = (world: ZooWorld, name: string): string => `zoo-${world.kind.name}-${name}`;

async function submit(world: ZooWorld, name: string, script: string, more: object = {}): Promise<string> {
  const word = mark(world, name);
  const wish = { name, command: ['sh', '-c', script, word, word], ...more };
  return (await world.daemon.submit(wish))[0]!;
}

/** It is Complete with the exit code, after so many attempts. */
async function completes(
  world: ZooWorld,
  uuid: string,
  exitCode: number,
  attempts: number,
): Promise<ContainerBody> {
  const record = await ended(world, uuid);
  if (record.state === 'Complete' && record.exitCode === exitCode && record.attempts === attempts)
    return record;
  const { state, error } = record;
  const how = `${state}, exit ${record.exitCode}, ${record.attempts} attempts: ${error}`;
  throw new Error(`${record.name}: expected exit ${exitCode} after ${attempts} attempts; it is ${how}`);
}

export const manyReaders: Scene = {
  name: 'twelve readers of a log cost no job its probes, its start or its kill',
  play: async (world) => {
    const { daemon, stepMs } = world;
    const uuid = await submit(world, 'read', 'echo "first $1"; sleep 600 & wait');
    await runningOn(world, uuid);
    await follows(world, uuid, `first ${mark(world, 'read')}\n`);
    const abort = new AbortController();
    const read = async (): Promise<void> => {
      const path = `/v1/containers/${uuid}/logs?follow=1`;
      const reply = await daemon.ask(path, undefined, abort.signal);
      for await (const _ of reply.body!);
    };
    const readers = Array.from({ length: 12 }, () => read().catch(() => undefined));
    try {
      const from = Date.now();
      const other = await submit(world, 'beside', 'echo done');
      await expectEnd(world, other, 0);
      // Longer than the instance may stay without a probe.
      await until('more than the probe timeout', stepMs, () => Date.now() - from > 20_000);
      const { state, attempts } = await daemon.find(uuid);
      if (state !== 'Running' || attempts !== 1) throw new Error(`it is ${state} after ${attempts} attempts`);
      await daemon.call(`/v1/containers/${uuid}/cancel`, {});
      await gone(world, mark(world, 'read'));
    } finally {
      abort.abort();
      await Promise.all(readers);
    }
  },
};

export const rebootWhileRunning: Scene = {
  name: 'a job that a reboot ends runs again, as its second attempt',
  play: async (world) => {
    const uuid = await submit(
      world,
      'through',
      'echo "$1" >>/var/lib/runs; [ -e /var/lib/rebooted ] || sleep 600',
    );
    await runningOn(world, uuid);
    await until('the command to begin', world.stepMs, async () => (await runs(world)) === 1);
    await world.odd().sh('touch /var/lib/rebooted');
    await world.odd().reboot();
    await completes(world, uuid, 0, 2);
  },
};

export const rebootWhileIdle: Scene = {
  name: 'a job that comes after a reboot runs at once, with its first attempt',
  play: async (world) => {
    await world.odd().reboot();
    const uuid = await submit(world, 'after', 'exit 4');
    await completes(world, uuid, 4, 1);
  },
};

async function runs(world: ZooWorld): Promise<number> {
  const { out } = await world.odd().sh('cat /var/lib/runs 2>/dev/null');
  return out.split('\n').filter((line) => line !== '').length;
}

export const droppedConnections: Scene = {
  name: 'a job lives through connections that drop again and again, and its result comes home',
  play: async (world) => {
    const uuid = await submit(
      world,
      'dropped',
      'until [ -e /run/h/dropped ]; do sleep 0.2; done; echo out; exit 3',
    );
    await runningOn(world, uuid);
    for (let count = 0; count < 3; count++) {
      await until('a connection', world.stepMs, async () => (await world.odd().countOf('sshd: root')) > 0);
      await world.odd().dropConnections();
    }
    await world.odd().sh('touch /run/h/dropped');
    await world.odd().dropConnections();
    await expectEnd(world, uuid, 3);
  },
};

const leaving = `setsid sh -c 'sleep 4321; : '"$1" </dev/null >/dev/null 2>&1 & (setsid sh -c "sleep 4322; : $1" </dev/null >/dev/null 2>&1 &); sleep 0.3`;

export const detachedChildren: Scene = {
  name: 'children in sessions of their own end with a job that ends',
  play: async (world) => {
    const uuid = await submit(world, 'children', `${leaving}; echo started`);
    await expectEnd(world, uuid, 0);
    await gone(world, mark(world, 'children'));
    await noneOf(world, 'sleep 432');
  },
};

export const detachedChildrenOfKilled: Scene = {
  name: 'children in sessions of their own end with a job that is cancelled',
  play: async (world) => {
    const uuid = await submit(world, 'orphans', `${leaving}; sleep 600 & wait`);
    await runningOn(world, uuid);
    await until('the children', world.stepMs, async () => (await world.odd().countOf('sleep 4322')) > 0);
    await world.daemon.call(`/v1/containers/${uuid}/cancel`, {});
    await gone(world, mark(world, 'orphans'));
    await noneOf(world, 'sleep 432');
  },
};

async function noneOf(world: ZooWorld, text: string): Promise<void> {
  await until(`no process "${text}"`, world.stepMs, async () => (await world.odd().countOf(text)) === 0);
}

export const killedSupervisor: Scene = {
  name: 'a job whose supervisor is killed runs again only when its processes are gone',
  play: async (world) => {
    const script = 'echo "$1" >>/var/lib/runs; [ "$(grep -c . /var/lib/runs)" != 1 ] || sleep 600';
    const uuid = await submit(world, 'killed', script);
    await runningOn(world, uuid);
    await until('the command to begin', world.stepMs, async () => (await runs(world)) === 1);
    await world.odd().sh(`pkill -KILL -f -- '--supervise ${uuid}'`);
    await completes(world, uuid, 0, 2);
    await gone(world, mark(world, 'killed'));
  },
};

export const killedInstance: Scene = {
  name: 'the result of an attempt that was killed with its instance is not that of the next attempt',
  play: async (world) => {
    const uuid = await submit(
      world,
      'again',
      'echo "$1" >>/var/lib/runs; [ "$(grep -c . /var/lib/runs)" = 2 ] || sleep 600; exit 5',
    );
    await runningOn(world, uuid);
    await until('the command to begin', world.stepMs, async () => (await runs(world)) === 1);
    const [instance] = (await world.daemon.instances()).filter(({ containers }) => containers.includes(uuid));
    await world.daemon.call(`/v1/instances/${instance!.instance}/kill`, {});
    await completes(world, uuid, 5, 2);
  },
};

export const deadEngine: Scene = {
  name: 'a job with an image is not Complete with the exit code of the engine, and says why it waits',
  play: async (world) => {
    const { daemon, stepMs } = world;
    const uuid = await submit(world, 'image', 'exit 0', { image: 'busybox' });
    let told = '';
    await until('the reason', stepMs, async () => {
      const { state, exitCode, attempts } = await daemon.find(uuid);
      if (state === 'Complete') throw new Error(`it is Complete, exit ${exitCode}`);
      if (attempts > 1) throw new Error(`${attempts} attempts were charged`);
      const instances = (await daemon.instances()).map(({ instance }) => daemon.told(instance));
      told = [await daemon.told(uuid), ...(await Promise.all(instances))].join('\n');
      return /engine|docker/i.test(told);
    });
    await daemon.call(`/v1/containers/${uuid}/cancel`, {});
  },
};

export const steppedClock: Scene = {
  name: 'times, durations and costs are those of the daemon, and output stays',
  play: async (world) => {
    const { daemon } = world;
    const from = Date.now();
    const before = await submit(world, 'before', 'sleep 1; echo kept');
    await expectEnd(world, before, 0);
    const during = await submit(world, 'during', 'until [ -e /run/h/stepped ]; do sleep 0.1; done');
    await runningOn(world, during);
    await world.odd().sh('touch /run/h/stepped');
    await expectEnd(world, during, 0);
    for (const uuid of [before, during]) {
      const { name, startedAt, finishedAt, cost } = await daemon.find(uuid);
      const [started, finished] = [Date.parse(startedAt ?? ''), Date.parse(finishedAt ?? '')];
      const isOurs = started >= from && finished >= started && finished <= Date.now() + 1_000;
      const most = ((Date.now() - from) / 3_600_000) * 1;
      if (!isOurs || cost === null || cost < 0 || cost > most) {
        throw new Error(`${name}: it began ${startedAt}, ended ${finishedAt} and cost ${cost}`);
      }
    }
    const lasted = await daemon.find(before);
    const lastedMs = Date.parse(lasted.finishedAt!) - Date.parse(lasted.startedAt!);
    if (lastedMs < 900) throw new Error(`a run of 1 s lasted ${lastedMs} ms`);
    // Old output is deleted at a start.
    await daemon.end('SIGTERM');
    await daemon.start();
    const output = await daemon.log(before, 'stdout');
    if (output !== 'kept\n') throw new Error(`its output is ${JSON.stringify(output)}`);
  },
};
