import type { InstanceType } from '../domain/instance-type.js';
import type { ContainerRow } from '../queue/store/container-rows.js';
import type { ContainerState } from '../domain/container.js';

/** One process of a container on an instance, as it really was. Times in ms since the start of the simulation. */
export interface RunLife {
  instanceId: string;
  startedAtMs: number;
  /** `undefined`: it still runs. */
  endedAtMs: number | undefined;
  /** `exit`: by itself; `crash`: its runner died; `kill`: it was told to end; `gone`: the instance went away under it. */
  ending: 'exit' | 'crash' | 'kill' | 'gone' | undefined;
}

/** One container as it really was. */
export interface ContainerLife {
  uuid: string;
  name: string;
  vcpus: number;
  submittedAtMs: number;
  state: ContainerState;
  /** Every process there ever was of it. */
  runs: RunLife[];
  /** When the store took its final state; `undefined` before. */
  finishedAtMs: number | undefined;
}

/** One instance as it really was. */
export interface InstanceLife {
  id: string;
  type: InstanceType;
  createdAtMs: number;
  /** First time a container could have run: its worker was in service; `undefined` before. */
  readyAtMs: number | undefined;
  /** First order to destroy it that reached the provider. */
  destroyAtMs: number | undefined;
  /** When it ended and its price with it; `undefined` before. */
  endedAtMs: number | undefined;
  /** Processes on it, by container. */
  live: Map<string, RunLife>;
}

export type LedgerEvent =
  | { kind: 'row'; row: ContainerRow; before: ContainerRow | undefined }
  | { kind: 'created' | 'ended'; instance: InstanceLife }
  | { kind: 'began' | 'over'; uuid: string; run: RunLife };

/** What really happened, whatever the daemon believes: what the results are made of and what the rules are judged by. */
export class Ledger {
  readonly containers = new Map<string, ContainerLife>();
  readonly instances = new Map<string, InstanceLife>();
  readonly #now: () => number;
  readonly #listeners: ((event: LedgerEvent) => void)[] = [];

  /** `now`: ms since the start. */
  constructor(now: () => number) {
    this.#now = now;
  }

  listen(listener: (event: LedgerEvent) => void): void {
    this.#listeners.push(listener);
  }

  row(row: ContainerRow, before: ContainerRow | undefined): void {
    const life = this.containers.get(row.uuid);
    if (!life) {
      const { vcpus } = JSON.parse(row.constraints) as { vcpus: number };
      this.containers.set(row.uuid, {
        uuid: row.uuid,
        name: row.name,
        vcpus,
        submittedAtMs: this.#now(),
        state: 'Queued',
        runs: [],
        finishedAtMs: undefined,
      });
    } else {
      life.state = row.state as ContainerState;
      const isFinal = life.state === 'Complete' || life.state === 'Cancelled';
      if (isFinal) life.finishedAtMs ??= this.#now();
    }
    this.#tell({ kind: 'row', row, before });
  }

  created(id: string, type: InstanceType): void {
    const instance: InstanceLife = {
      id,
      type,
      createdAtMs: this.#now(),
      readyAtMs: undefined,
      destroyAtMs: undefined,
      endedAtMs: undefined,
      live: new Map(),
    };
    this.instances.set(id, instance);
    this.#tell({ kind: 'created', instance });
  }

  /** Containers can run on it from now on. */
  ready(id: string): void {
    const instance = this.instances.get(id);
    if (instance) instance.readyAtMs ??= this.#now();
  }

  /** The provider was told to destroy it. */
  destroyOrdered(id: string): void {
    const instance = this.instances.get(id);
    if (instance) instance.destroyAtMs ??= this.#now();
  }

  ended(id: string): void {
    const instance = this.instances.get(id);
    if (!instance || instance.endedAtMs !== undefined) return;
    instance.endedAtMs = this.#now();
    for (const uuid of [...instance.live.keys()]) this.over(id, uuid, 'gone');
    this.#tell({ kind: 'ended', instance });
  }

  began(id: string, uuid: string): void {
    const run: RunLife = {
      instanceId: id,
      startedAtMs: this.#now(),
      endedAtMs: undefined,
      ending: undefined,
    };
    this.instances.get(id)?.live.set(uuid, run);
    this.containers.get(uuid)?.runs.push(run);
    this.#tell({ kind: 'began', uuid, run });
  }

  over(id: string, uuid: string, ending: NonNullable<RunLife['ending']>): void {
    const instance = this.instances.get(id);
    const run = instance?.live.get(uuid);
    if (!instance || !run) return;
    instance.live.delete(uuid);
    run.endedAtMs = this.#now();
    run.ending = ending;
    this.#tell({ kind: 'over', uuid, run });
  }

  #tell(event: LedgerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
