import { noConstraints, type AttemptOrigin, type Container } from '../../src/domain/container.js';
import type { Placement, Queue, ResultVerdict, RevertedStart } from '../../src/queue/queue.js';
import type { QueueSnapshot } from '../../src/domain/queue-entry.js';
import type { ContainerResult, ContainerWork } from '../../src/domain/container-work.js';

export interface StartedRecord {
  uuid: string;
  where: Placement;
  at: number;
}

/** A container that asks for so many VCPUs. */
export function containerOf(uuid: string, vcpus = 1): Container {
  return {
    uuid,
    state: 'Locked',
    priority: 1n,
    constraints: { ...noConstraints, vcpus },
    scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
    image: '',
    tmpMountBytes: 0,
    createdAt: 0,
  };
}

/** What effects need of a queue, with a record of what they told it. The rest does nothing. */
export class ScriptedQueue implements Queue {
  readonly containers = new Map<string, Container>();
  readonly works = new Map<string, ContainerWork>();
  readonly startedContainers: StartedRecord[] = [];
  readonly reverted: ({ uuid: string } & RevertedStart)[] = [];
  onRevert: () => Promise<void> = () => Promise.resolve();
  readonly cancelled: { uuid: string; reason: string }[] = [];
  readonly lostContainers: { uuid: string; reason: string; origin?: AttemptOrigin | undefined }[] = [];
  readonly completed: { uuid: string; result: ContainerResult; origin: AttemptOrigin }[] = [];
  /** What `started` resolves to. */
  attempt: number | undefined;
  verdict: ResultVerdict = { kind: 'known' };
  onWork: () => Promise<void> = () => Promise.resolve();
  onStarted: () => Promise<void> = () => Promise.resolve();
  onComplete: () => Promise<void> = () => Promise.resolve();

  async work(uuid: string): Promise<ContainerWork | undefined> {
    await this.onWork();
    return this.works.get(uuid);
  }

  async started(uuid: string, where: Placement, at: number): Promise<number | undefined> {
    await this.onStarted();
    this.startedContainers.push({ uuid, where, at });
    return this.attempt;
  }

  async complete(uuid: string, result: ContainerResult, origin: AttemptOrigin): Promise<ResultVerdict> {
    await this.onComplete();
    this.completed.push({ uuid, result, origin });
    return this.verdict;
  }

  async revertStart(uuid: string, start: RevertedStart): Promise<void> {
    await this.onRevert();
    this.reverted.push({ uuid, ...start });
  }

  get(uuid: string): Container | undefined {
    return this.containers.get(uuid);
  }

  entries(): QueueSnapshot {
    return { entries: new Map(), threshold: 0 };
  }

  async update(): Promise<void> {}
  async lock(): Promise<void> {}
  async unlock(): Promise<void> {}
  async cancel(uuid: string, reason: string): Promise<void> {
    this.cancelled.push({ uuid, reason });
  }
  async lost(uuid: string, reason: string, origin?: AttemptOrigin): Promise<void> {
    this.lostContainers.push({ uuid, reason, origin });
  }
  forget(): void {}
  subscribe(): () => void {
    return () => {};
  }
  async stop(): Promise<void> {}
}
