import type { Clock } from '../../domain/clock.js';
import { isFinal, type Container } from '../../domain/container.js';
import { MandateError, type Mandate } from '../../domain/leader-guard.js';
import { QueueCache, type Misfit, type SizeContainer } from '../queue-cache.js';
import { QueueError, type Queue, type ResultVerdict } from '../queue.js';
import { eventLoopTurn } from '../../async/event-loop-turn.js';
import { changeOf, ReplyError, uuidOf } from './container-reply.js';
import type { ControllerClient } from './controller-client.js';
import { fetchContainers } from './fetch-containers.js';
import { MountReads } from './mount-reads.js';
import type { QueueSnapshot } from '../../domain/queue-entry.js';
import type { ContainerWork } from '../../domain/container-work.js';

export interface ControllerQueueOptions {
  client: ControllerClient;
  clock: Clock;
  /** Begins every container id of this cluster. */
  clusterId: string;
  /** So many queued containers that are not supervisors are looked for at a time. */
  lookAhead: number;
  size: SizeContainer;
  observer: ControllerObserver;
}

/** Told of what nobody asked for. None of these may throw. */
export interface ControllerObserver {
  /** A container that cannot be read, sized or cancelled: it is passed over until the next update. */
  fault(uuid: string, error: unknown): void;
  /** It is no business of this dispatcher any more. */
  dropped(container: Container): void;
  /** The controller does not know it any more. */
  gone(uuid: string): void;
}

/**
 * The containers of a controller, locked and followed over its API, while the runner on the instance reports what
 * becomes of them (Q-1..Q-45). Rejects with {@link QueueError} only.
 */
export class ControllerQueue implements Queue {
  readonly #options: ControllerQueueOptions;
  readonly #cache: QueueCache;
  /** Why the mounts of containers that are new in the update under way cannot be read. */
  readonly #badMounts = new Map<string, string>();
  readonly #cancelling = new Map<string, Promise<void>>();
  readonly #mountReads: MountReads;
  #mandate: Mandate | undefined;
  #tokenUuid: string | undefined;

  constructor(options: ControllerQueueOptions) {
    const { client, clock, observer } = options;
    this.#mountReads = new MountReads({ clock, overloads: () => client.overloads });
    this.#options = options;
    this.#cache = new QueueCache({
      fetch: (known) => this.#fetch(known),
      size: (container) => this.#size(container),
      turn: eventLoopTurn,
      now: () => clock.now(),
      onMisfits: (misfits) => {
        for (const misfit of misfits) this.#refuse(misfit);
      },
      onFault: (uuid, error) => observer.fault(uuid, error),
      onDropped: (container) => observer.dropped(container),
    });
  }

  /** From now on it changes containers while the mandate lasts. */
  lead(mandate: Mandate): void {
    this.#mandate = mandate;
  }

  /** It changes nothing but what people order. */
  standBy(): void {
    this.#mandate = undefined;
  }

  update(): Promise<void> {
    return asQueueError(() => this.#cache.update());
  }

  entries(): QueueSnapshot {
    return this.#cache.snapshot();
  }

  peek(): QueueSnapshot {
    return this.#cache.peek();
  }

  takeChanges(): ReadonlySet<string> | undefined {
    return this.#cache.takeChanges();
  }

  get(uuid: string): Container | undefined {
    return this.#cache.get(uuid)?.container;
  }

  async lock(uuid: string): Promise<void> {
    await this.#permit();
    await this.#change('POST', `containers/${uuid}/lock`, uuid);
  }

  async unlock(uuid: string): Promise<void> {
    await this.#permit();
    await this.#change('POST', `containers/${uuid}/unlock`, uuid);
  }

  /** Also an order of people, which holds whoever leads. The controller keeps no reason. */
  cancel(uuid: string): Promise<void> {
    return this.#change('PUT', `containers/${uuid}`, uuid, { container: { state: 'Cancelled' } });
  }

  /**
   * The controller makes a fresh container if its owner wants another attempt (CR-17). Its state is read anew first: a
   * Complete container could be cancelled too, which would throw its result away (CR-11).
   */
  async lost(uuid: string): Promise<void> {
    await this.#permit();
    const query = { select: ['state', 'priority'] };
    const now = await asQueueError(async () =>
      changeOf(await this.#options.client.call('GET', `containers/${uuid}`, { query })),
    );
    if (isFinal(now.state)) this.#cache.changed(uuid, now);
    else await this.cancel(uuid);
  }

  forget(uuid: string): void {
    this.#cache.forget(uuid);
  }

  subscribe(listener: () => void): () => void {
    return this.#cache.subscribe(listener);
  }

  /** The runner reads it from the controller. */
  async work(): Promise<ContainerWork | undefined> {
    return undefined;
  }

  /** The runner says so itself, before anything of the container runs. */
  async started(): Promise<undefined> {
    return undefined;
  }

  /** The container is Locked still, and the dispatcher unlocks it. */
  async revertStart(): Promise<void> {}

  /** The runner tells the controller. */
  async complete(): Promise<ResultVerdict> {
    return { kind: 'known' };
  }

  last503At(): number {
    return this.#options.client.last503At;
  }

  async stop(): Promise<void> {
    await this.#cache.stop();
    await Promise.all(this.#cancelling.values());
    this.#options.client.close();
  }

  async #fetch(known: Parameters<typeof fetchContainers>[0]['known']) {
    const { client, lookAhead, observer } = this.#options;
    this.#tokenUuid ??= await this.#readTokenUuid();
    this.#badMounts.clear();
    const batches = fetchContainers({
      client,
      mountReads: this.#mountReads,
      tokenUuid: this.#tokenUuid,
      known,
      lookAhead,
      onBadMounts: (uuid, detail) => this.#badMounts.set(uuid, detail),
      onGone: (uuids) => {
        for (const uuid of uuids) observer.gone(uuid);
        this.#cache.drop(uuids);
      },
      onFault: (uuid, error) => observer.fault(uuid, error),
    });
    return { batches, isComplete: true };
  }

  /** Once for the life of the process. */
  async #readTokenUuid(): Promise<string> {
    const { client, clusterId } = this.#options;
    const uuid = uuidOf(await client.call('GET', 'api_client_authorizations/current'));
    const theirs = uuid.slice(0, clusterId.length);
    if (theirs === clusterId) return uuid;
    throw new QueueError(
      'invalid',
      `clusterId: the controller is of cluster ${theirs}: set clusterId: ${theirs}, or another controller.url`,
    );
  }

  #size(container: Container): ReturnType<SizeContainer> {
    const sizing = this.#options.size(container);
    const detail = this.#badMounts.get(container.uuid);
    if (detail === undefined) return sizing;
    return { needs: sizing.needs, unsatisfiable: `its mounts could not be read: ${detail}` };
  }

  async #permit(): Promise<void> {
    const mandate = this.#mandate;
    if (!mandate) throw new QueueError('superseded', 'this daemon does not lead, so it changes no container');
    try {
      await mandate.confirm();
      mandate.assert();
    } catch (cause) {
      if (!(cause instanceof MandateError)) throw cause;
      throw new QueueError('superseded', cause.message, { cause });
    }
  }

  /** Made known here at once: nothing read earlier undoes it. A failure changes nothing. */
  async #change(method: 'POST' | 'PUT', path: string, uuid: string, body?: unknown): Promise<void> {
    await asQueueError(async () => {
      this.#cache.changed(uuid, changeOf(await this.#options.client.call(method, path, { body })));
    });
  }

  /** A container that can never run is cancelled, with the reason for its owner to read; one at a time. */
  #refuse(misfit: Misfit): void {
    const { uuid } = misfit.container;
    if (this.#cancelling.has(uuid)) return;
    const ended = this.#cancelMisfit(misfit)
      .catch((error: unknown) => this.#options.observer.fault(uuid, error))
      .finally(() => this.#cancelling.delete(uuid));
    this.#cancelling.set(uuid, ended);
  }

  async #cancelMisfit({ container: { uuid, state }, reason }: Misfit): Promise<void> {
    const { client } = this.#options;
    // Only who holds the lock may write the reason.
    if (state === 'Queued') await this.lock(uuid);
    else await this.#permit();
    try {
      const body = { container: { runtime_status: { error: reason } } };
      await client.call('PUT', `containers/${uuid}`, { body });
      await this.cancel(uuid);
    } catch (error) {
      if (!(await this.#isCancelled(uuid))) throw error;
    }
  }

  /** Somebody else was faster. */
  async #isCancelled(uuid: string): Promise<boolean> {
    const query = { select: ['state'] };
    const reply = await this.#options.client
      .call('GET', `containers/${uuid}`, { query })
      .catch(() => undefined);
    const { state } = (reply ?? {}) as { state?: unknown };
    return state === 'Cancelled';
  }
}

async function asQueueError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    const text = `controller.url: the controller's answer cannot be used: ${error.message}`;
    throw new QueueError('unavailable', text, { cause: error });
  }
}
