import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createActor, toPromise, type AnyActorLogic, type InputFrom, type OutputFrom } from 'xstate';
import { Executors } from '../../src/fleet/instance-executors.js';
import { RunnerProgram } from '../../src/runner/program.js';
import { secretFingerprint } from '../../src/domain/ids.js';
import { tagKeys, type Instance } from '../../src/domain/instance.js';
import type { InstanceType } from '../../src/domain/instance-type.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import type { ExecutorError } from '../../src/ssh/executor.js';
import { FairSlots } from '../../src/async/fair-slots.js';
import { ScriptedDriver, instanceOf } from './scripted-driver.js';
import { ScriptedNetwork } from './scripted-executor.js';
import type { ScriptedHost } from './scripted-host.js';
import { ScriptedQueue } from './scripted-queue.js';
import { smallType } from './worker-world.js';
import type { RunnerSettings } from '../../src/runner/runner-settings.js';

export const keys = tagKeys('Longshore');
export const secret = 'a0'.repeat(20);
export const address = '10.0.0.1:22';

export const runnerSettings: RunnerSettings = {
  deploy: '',
  deployDirectory: '/var/lib/arvados',
  command: 'crunch-run',
  runtimeEngine: 'stub',
  arguments: [],
  apiHost: 'api.example',
  apiHostInsecure: false,
  logLimitBytes: 1_000,
};

export interface ConnectionFact {
  instanceId: string;
  what: 'established' | 'verified' | 'lost';
  error: ExecutorError | undefined;
}

/** One instance among scripted neighbours, for effects that run as real actors. */
export class EffectsWorld {
  readonly clock = new HeapClock(1_000_000);
  readonly network = new ScriptedNetwork(this.clock);
  readonly driver = new ScriptedDriver();
  readonly queue = new ScriptedQueue();
  readonly facts: ConnectionFact[] = [];
  readonly executors: Executors;
  readonly host: ScriptedHost;

  constructor() {
    this.driver.verdict = true;
    this.host = this.network.host(address);
    this.executors = new Executors({
      factory: this.network.factory,
      driver: this.driver,
      tagKeys: keys,
      onConnection: (instanceId, what, error) => this.facts.push({ instanceId, what, error }),
    });
  }

  /** Makes the instance known to the executors. */
  add(change: Partial<Instance> = {}, type: InstanceType = smallType): Instance {
    const tags = { [keys.instanceSecret]: secretFingerprint(secret) };
    const instance = instanceOf({ address, tags, ...change });
    this.executors.add(instance, type);
    return instance;
  }

  /** So many at once, whoever they are for, and whatever time they take. */
  slots(count: number): FairSlots {
    return new FairSlots({ clock: this.clock, count, share: count, patienceMs: Infinity, mostOverdue: 0 });
  }

  runner(change: Partial<RunnerSettings> = {}): RunnerProgram {
    return new RunnerProgram({ ...runnerSettings, ...change });
  }
}

/** Runs an effect as the actor it is, to its end. */
export function runEffect<T extends AnyActorLogic>(logic: T, input: InputFrom<T>): Promise<OutputFrom<T>> {
  const actor = createActor(logic, { input });
  actor.start();
  return toPromise(actor);
}

/** The same on the clock, as long as it takes. */
export async function runEffectFor<T extends AnyActorLogic>(
  clock: HeapClock,
  ms: number,
  logic: T,
  input: InputFrom<T>,
): Promise<OutputFrom<T>> {
  const outcome = runEffect(logic, input);
  await clock.advance(ms);
  return outcome;
}

/** Starts an effect that is to be stopped, and tells whether it ever finished. */
export async function startEffect<T extends AnyActorLogic>(
  logic: T,
  input: InputFrom<T>,
): Promise<{ stop(): Promise<void> }> {
  const actor = createActor(logic, { input });
  actor.start();
  await settle();
  return {
    stop: async () => {
      actor.stop();
      await settle();
    },
  };
}

/** A runner program in a folder of its own. */
export async function makeRunnerFile(
  content: string,
): Promise<{ file: string; md5: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-effects-'));
  const file = join(folder, 'runner');
  await writeFile(file, content);
  const md5 = createHash('md5').update(content).digest('hex');
  return { file, md5, remove: () => rm(folder, { recursive: true, force: true }) };
}
