import type { SeededRandom } from '../../src/simulation/seeded-random.js';
import { until } from '../zoo/until.js';
import type { AttackedDaemon, ContainerBody } from './attacked-daemon.js';
import type { SeedFigures } from './judge.js';
import { waitedForProcessorMs } from './meter.js';
import type { HonestRun, MixedHost } from './mixed-host.js';

const submitMs = 600;
const pollMs = 200;
const mostInFlight = 6;
/** Output that does not end is read for so long. */
const outputMs = 2_000;
/** A result that is not there by then is as late as this. */
const longestMs = 30_000;

type Judged = Pick<SeedFigures, 'lateMs' | 'forged' | 'honestResults' | 'faults'>;

/** Small containers on honest instances, one after the other, as a user would see them. */
export class HonestWork {
  /** Containers that were made for the liars. */
  readonly toLiars = new Set<string>();
  readonly #daemon: AttackedDaemon;
  readonly #host: MixedHost;
  readonly #random: SeededRandom;
  readonly #submitted = new Set<string>();
  readonly #open = new Set<string>();
  /** Containers for liars that were started somewhere. */
  readonly #placed = new Set<string>();
  /** Less the time in which nobody here had a processor. */
  readonly #late = new Map<string, number>();
  readonly #faults: string[] = [];
  readonly #loops: Promise<void>[] = [];
  #isStopped = false;

  constructor(daemon: AttackedDaemon, host: MixedHost, random: SeededRandom) {
    this.#daemon = daemon;
    this.#host = host;
    this.#random = random;
  }

  /** Resolves when so many instances have done work. */
  async begin(instances: number, signal: AbortSignal): Promise<void> {
    this.#loops.push(this.#loop(submitMs, () => this.#submit()));
    this.#loops.push(this.#loop(pollMs, () => this.#look()));
    const ran = (): number =>
      new Set(this.#host.runs.filter(({ endedAt }) => endedAt !== undefined).map((run) => run.instanceId))
        .size;
    await until('the honest instances to work', 90_000, () => signal.aborted || ran() >= instances);
  }

  /** Submits containers of a size that only the liars' type holds, and follows the output of those that there are. */
  async feedLiars(count: number): Promise<void> {
    const first = this.toLiars.size;
    const wishes = Array.from({ length: count }, (_, index) => ({
      name: `for-liars-${first + index}`,
      command: ['true'],
      vcpus: 6,
    }));
    for (const uuid of await this.#daemon.submit(wishes)) this.toLiars.add(uuid);
    if (first === 0) this.#loops.push(this.#loop(pollMs, () => this.#readOutput()));
  }

  /** More of them, unless some wait for a place: more instances than there may be would take the place of honest ones. */
  async feedLiarsAgain(count: number): Promise<void> {
    for (const uuid of this.toLiars) {
      if (this.#placed.has(uuid)) continue;
      const { state } = await this.#daemon.call<ContainerBody>(`/v1/containers/${uuid}`);
      if (state === 'Queued' || state === 'Locked') return;
      this.#placed.add(uuid);
    }
    await this.feedLiars(count);
  }

  /** As a user does who looks at a container that runs: what its instance says goes through the daemon. */
  async #readOutput(): Promise<void> {
    const uuid = this.#random.pick([...this.toLiars].slice(-8));
    const response = await this.#daemon.ask(`/v1/containers/${uuid}/logs?stream=stdout`, undefined, outputMs);
    // 503: its instance does not answer, as liars do.
    if (response.status >= 500 && response.status !== 503)
      this.#faults.push(`output of ${uuid}: ${response.status}`);
    await response.text();
  }

  /** Submits nothing more, and waits until what runs has ended, or is late. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await Promise.all(this.#loops);
    const deadlineAt = Date.now() + 5_000;
    while (this.#open.size > 0 && Date.now() < deadlineAt && !this.#daemon.hasEnded) {
      await this.#look();
      await pause(pollMs);
    }
  }

  async judge(): Promise<Judged> {
    const now = Date.now();
    for (const run of this.#host.runs) {
      if (run.endedAt === undefined || this.#late.has(run.uuid) || !this.#submitted.has(run.uuid)) continue;
      this.#late.set(run.uuid, Math.max(0, now - run.endedAt - this.#waited(run)));
    }
    const all = [...this.#late.values()];
    return {
      lateMs: Math.max(0, ...all),
      forged: await this.#forged(),
      honestResults: all.length,
      faults: this.#faults,
    };
  }

  async #submit(): Promise<void> {
    if (this.#open.size >= mostInFlight) return;
    const name = `honest-${this.#submitted.size}`;
    const [uuid] = await this.#daemon.submit([{ name, command: ['true'], vcpus: 1 }]);
    this.#submitted.add(uuid!);
    this.#open.add(uuid!);
    this.#host.tellOthers([...this.#submitted].slice(-100));
  }

  async #look(): Promise<void> {
    for (const uuid of this.#open) {
      const response = await this.#daemon.ask(`/v1/containers/${uuid}`, undefined, longestMs);
      if (response.status >= 500) this.#faults.push(`${uuid}: ${response.status}`);
      if (!response.ok) continue;
      const { state } = (await response.json()) as ContainerBody;
      if (state !== 'Complete' && state !== 'Cancelled') continue;
      this.#open.delete(uuid);
      const run = this.#host.runs.findLast((each) => each.uuid === uuid);
      if (run?.endedAt === undefined) this.#faults.push(`${uuid} is ${state} and has not ended`);
      else this.#late.set(uuid, Math.max(0, Date.now() - run.endedAt - this.#waited(run)));
    }
  }

  /** How long the daemon, or this process, stood ready without a processor since the container ended. */
  #waited({ endedAt = 0, waitedMs = 0 }: HonestRun): number {
    const { measured } = this.#daemon;
    // What the daemon measured last before.
    const before = measured.findLast(({ at }) => at <= endedAt)?.waitedMs ?? 0;
    return waitedForProcessorMs() - waitedMs + Math.max(0, (measured.at(-1)?.waitedMs ?? 0) - before);
  }

  /** What the store has as the result of a container against what the instances that ran it said. */
  async #forged(): Promise<string[]> {
    const forged: string[] = [];
    for (const uuid of [...this.#submitted, ...this.toLiars]) {
      const body = await this.#daemon.call<ContainerBody>(`/v1/containers/${uuid}`).catch(() => undefined);
      if (!body) {
        this.#faults.push('the API does not answer after the attack');
        break;
      }
      if (body.state !== 'Complete') continue;
      // What was given to a liar is its own affair.
      if (this.#host.liars.has(body.instance ?? '') && this.toLiars.has(uuid)) continue;
      const response = await this.#daemon.ask(`/v1/containers/${uuid}/logs?stream=stdout`);
      const stdout = await response.text();
      const isTrue = this.#host.runs.some((run) => run.uuid === uuid && run.stdout === stdout.trim());
      if (!isTrue) forged.push(`${uuid} on ${body.instance}: ${JSON.stringify(stdout.slice(0, 60))}`);
    }
    return forged;
  }

  async #loop(everyMs: number, act: () => Promise<void>): Promise<void> {
    while (!this.#isStopped && !this.#daemon.hasEnded) {
      // A daemon that does not answer is late: that is what is measured.
      await act().catch(() => {});
      await pause(everyMs * this.#random.between(0.8, 1.2));
    }
  }
}

const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));
