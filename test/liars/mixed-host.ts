import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/domain/clock.js';
import type { CreateSpec } from '../../src/drivers/driver.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import type { SimulatedHost, StartedMachine } from '../../src/drivers/simulated/simulated-host.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import { waitedForProcessorMs } from './meter.js';
import type { FromLiars, ToLiars } from './liars-program.js';

const program = fileURLToPath(new URL('liars-program.ts', import.meta.url));

/** What really happened on honest machines. */
export interface HonestRun {
  uuid: string;
  instanceId: string;
  stdout: string;
  startedAt: number;
  endedAt?: number;
  /** How long this process had stood ready without a processor by then; ms. */
  waitedMs?: number;
}

/** The lies of one machine that lied. */
export interface LiarRecord {
  id: string;
  firstLieAt?: number;
  /** The first that it is to be quarantined for. */
  breach?: { name: string; at: number };
}

export interface MixedHostOptions {
  seed: number;
  clusterId: string;
  /** Provider type of machines that lie, as long as there are not so many of them. */
  liarType: string;
  liarCount: number;
  runMs(): number;
  onStarted(child: ChildProcess): void;
}

/** Machines behind real SSH servers: honest ones in this process, and liars in another. */
export class MixedHost implements SimulatedHost {
  readonly runs: HonestRun[] = [];
  readonly liars = new Map<string, LiarRecord>();
  readonly #options: MixedHostOptions;
  readonly #honest: SshHost;
  readonly #byUuid = new Map<string, HonestRun>();
  readonly #waiting = new Map<string, (message: FromLiars) => void>();
  readonly #child: ChildProcess;
  readonly #waited: { waitedMs: number; at: number }[] = [];
  readonly #ready: Promise<void>;

  constructor(options: MixedHostOptions) {
    this.#options = options;
    this.#honest = this.#openHonest();
    this.#child = fork(program, [String(options.seed), options.clusterId], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    options.onStarted(this.#child);
    this.#ready = new Promise((resolve, reject) => {
      this.#waiting.set('ready', () => resolve());
      this.#child.once('exit', () => reject(new Error('the process of the liars ended')));
    });
    this.#ready.catch(() => {});
    this.#child.on('message', (message: FromLiars) => this.#hear(message));
  }

  async start(id: string, spec: CreateSpec): Promise<StartedMachine> {
    const { liarType, liarCount } = this.#options;
    const number = this.liars.size;
    if (spec.instanceType.providerType !== liarType || number >= liarCount)
      return this.#honest.start(id, spec);
    this.liars.set(id, { id });
    await this.#ready;
    const { initCommand, publicKey = '' } = spec;
    const message = await this.#ask(id, { type: 'start', id, number, initCommand, authorizedKey: publicKey });
    if (message.type !== 'started') throw new Error(`the liar ${id} did not start`);
    return { address: message.address, hostKey: undefined };
  }

  async stop(id: string): Promise<void> {
    if (!this.liars.has(id)) return this.#honest.stop(id);
    if (this.#child.connected) await this.#ask(id, { type: 'stop', id });
  }

  interrupt(id: string, notice: string): void {
    this.#honest.interrupt(id, notice);
  }

  /** Lets the liars know of containers that they were not given. */
  tellOthers(uuids: string[]): void {
    if (this.#child.connected) this.#child.send({ type: 'others', uuids } satisfies ToLiars);
  }

  /** A stranger without a token attacks the API, until {@link endAttack}. */
  attack(url: string): void {
    this.#child.send({ type: 'attack', url } satisfies ToLiars);
  }

  /** How often the stranger attacked, and the answers that are faults of the daemon. */
  async endAttack(): Promise<{ attacks: number; faults: string[] }> {
    const message = await this.#ask('rested', { type: 'rest' });
    return message.type === 'rested' ? message : { attacks: 0, faults: [] };
  }

  async close(): Promise<void> {
    await this.#honest.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  #openHonest(): SshHost {
    return new SshHost({
      clock: systemClock,
      random: Math.random,
      hasKnownHostKeys: true,
      knobsOf: () => faultlessVm,
      execute: (uuid) => {
        const stdout = `${uuid} ran honestly as ${Math.random().toString(36).slice(2)}`;
        this.#byUuid.set(uuid, { uuid, instanceId: '', stdout, startedAt: Date.now() });
        return { durationMs: this.#options.runMs(), exitCode: 0, stdout, stderr: '' };
      },
      onStarted: (uuid, instanceId) => {
        const run = this.#byUuid.get(uuid)!;
        run.instanceId = instanceId;
        this.runs.push(run);
      },
      onEnded: (uuid) => {
        const run = this.#byUuid.get(uuid)!;
        run.waitedMs = waitedForProcessorMs();
        run.endedAt = Date.now();
      },
    });
  }

  #ask(id: string, message: ToLiars): Promise<FromLiars> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.#child.once('exit', () => reject(new Error('the process of the liars ended')));
      this.#child.send(message);
    });
  }

  /** How long the process of the liars had stood ready without a processor at that time; ms. */
  liarsWaitedMs(at: number): number {
    return this.#waited.findLast((each) => each.at <= at)?.waitedMs ?? 0;
  }

  #hear(message: FromLiars): void {
    if (message.type === 'waited') return void this.#waited.push(message);
    if (message.type === 'lied') {
      const record = this.liars.get(message.id);
      if (!record) return;
      record.firstLieAt ??= message.at;
      if (message.isBreach) record.breach ??= { name: message.name, at: message.at };
      return;
    }
    const key = 'id' in message ? message.id : message.type;
    this.#waiting.get(key)?.(message);
    this.#waiting.delete(key);
  }
}
