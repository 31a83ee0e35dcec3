import type { Disk } from '@azure/arm-compute';
import type { NetworkInterface } from '@azure/arm-network';
import { type DriverError } from '../driver.js';
import { attempt, type AzureWorld } from './azure-context.js';
import { isInstanceName } from './names.js';
import { createdAtTag } from './resource-bodies.js';

const mostAtOnce = 4;
const diskSweepIntervalMs = 300_000;
const retryAfterFailureMs = 60_000;
const longestWorkMs = 900_000;

type Remove = (options: { abortSignal: AbortSignal; updateIntervalInMs: number }) => Promise<unknown>;

/**
 * Deletes what instances left: interfaces without a machine, found as they are listed, and disks without one, looked
 * for every five minutes while there are listings (AZ-21, AZ-23). Only what carries this instance set's name and is old
 * enough. Never fails: what cannot be deleted is told of, and tried again later.
 */
export class DanglingResources {
  readonly #world: AzureWorld;
  readonly #isBeingMade: (instanceName: string) => boolean;
  readonly #controller = new AbortController();
  readonly #background = new Set<Promise<void>>();
  readonly #waiting: { id: string; remove: Remove }[] = [];
  readonly #taken = new Set<string>();
  readonly #notBefore = new Map<string, number>();
  #active = 0;
  #pausedUntil = 0;
  #disksSweptAt = Number.NEGATIVE_INFINITY;

  constructor(world: AzureWorld, isBeingMade: (instanceName: string) => boolean) {
    this.#world = world;
    this.#isBeingMade = isBeingMade;
  }

  /** To be told of all interfaces after each listing. */
  interfacesListed(nics: readonly NetworkInterface[]): void {
    const { clients, parameters } = this.#world;
    for (const nic of nics) {
      const { name = '', virtualMachine, tags } = nic;
      const createdAt = Date.parse(tags?.[createdAtTag] ?? '');
      if (virtualMachine || !this.#isLeftOver(name, '-nic', createdAt)) continue;
      this.#enqueue(`interface ${name}`, (options) =>
        clients.network.networkInterfaces.beginDeleteAndWait(parameters.resourceGroup, name, options),
      );
    }
    const now = this.#world.clock.now();
    if (now - this.#disksSweptAt < diskSweepIntervalMs) return;
    this.#disksSweptAt = now;
    this.run((signal) => this.#sweepDisks(signal));
  }

  /** Lets the work go on by itself for {@link longestWorkMs} at most; {@link stop} ends it. */
  run(start: (signal: AbortSignal) => Promise<void>): void {
    const work = start(this.#limitedSignal());
    this.#background.add(work);
    const forget = (): void => void this.#background.delete(work);
    work.then(forget, forget);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    this.#waiting.length = 0;
    await Promise.allSettled(this.#background);
  }

  #limitedSignal(): AbortSignal {
    return AbortSignal.any([this.#controller.signal, AbortSignal.timeout(longestWorkMs)]);
  }

  /** Not so if it has no readable time: it may be somebody else's. */
  #isLeftOver(name: string, suffix: string, createdAt: number): boolean {
    const { prefix, clock, parameters } = this.#world;
    const instance = name.slice(0, -suffix.length);
    if (!name.endsWith(suffix) || !isInstanceName(prefix, instance)) return false;
    if (!(clock.now() - createdAt > parameters.deleteDanglingAfterMs)) return false;
    return !this.#isBeingMade(instance);
  }

  async #sweepDisks(abortSignal: AbortSignal): Promise<void> {
    const { clients, parameters, warn } = this.#world;
    const { resourceGroup } = parameters;
    try {
      const disks = clients.compute.disks.listByResourceGroup(resourceGroup, { abortSignal });
      for await (const disk of disks) {
        const { name = '' } = disk;
        if (disk.diskState !== 'Unattached' || !this.#isLeftOver(name, '-os', createdAtOf(disk))) continue;
        this.#enqueue(`disk ${name}`, (options) =>
          clients.compute.disks.delete(resourceGroup, name, options).pollUntilDone(),
        );
      }
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      warn('disks that instances left could not be looked for', { why: (error as Error).message });
    }
  }

  #enqueue(id: string, remove: Remove): void {
    if (this.#taken.has(id) || (this.#notBefore.get(id) ?? 0) > this.#world.clock.now()) return;
    this.#taken.add(id);
    this.#waiting.push({ id, remove });
    this.#pump();
  }

  #pump(): void {
    while (this.#active < mostAtOnce && !this.#controller.signal.aborted) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#active++;
      this.run((abortSignal) =>
        this.#remove(next.id, next.remove, abortSignal).finally(() => {
          this.#active--;
          this.#pump();
        }),
      );
    }
  }

  async #remove(id: string, remove: Remove, abortSignal: AbortSignal): Promise<void> {
    const { clock, warn, parameters } = this.#world;
    const options = { abortSignal, updateIntervalInMs: parameters.operationPollMs };
    try {
      if (this.#pausedUntil > clock.now()) return;
      await attempt(this.#world, { what: `deleting the left ${id}`, notFoundAs: 'not-found' }, () =>
        remove(options),
      );
      this.#notBefore.delete(id);
    } catch (error) {
      const { code, message, retryAt } = error as DriverError;
      if (code === 'not-found' || this.#controller.signal.aborted) return;
      if (retryAt !== undefined) this.#pausedUntil = retryAt;
      this.#notBefore.set(id, clock.now() + retryAfterFailureMs);
      warn('what an instance left could not be deleted yet', { what: id, why: message });
    } finally {
      this.#taken.delete(id);
    }
  }
}

function createdAtOf({ timeCreated }: Disk): number {
  return timeCreated?.getTime() ?? Number.NaN;
}
