import { CreateTagsCommand, DeleteTagsCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import type { Registry } from 'prom-client';
import type { Clock } from '../../domain/clock.js';
import type { Instance, PricePoint, Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { orAborted } from '../abortable.js';
import {
  DriverError,
  type CallOptions,
  type CreateSpec,
  type Driver,
  type DriverWarning,
} from '../driver.js';
import { Ec2Api } from './api.js';
import { describeInstance, describeInstances } from './describe-instances.js';
import { Endings } from './termination-reasons.js';
import { KnownInstances } from './known-instances.js';
import { Launcher } from './launcher.js';
import { instanceOf, isGone, type ListedInstance } from './listed-instance.js';
import { Ec2Meters } from './ec2-metrics.js';
import type { Ec2Parameters } from './parameters.js';
import { quotaGroupOf } from './quota-group.js';
import { ec2Tags } from './run-instances.js';
import { SpotPrices, type Market } from './spot-prices.js';

export interface Ec2DriverOptions {
  parameters: Ec2Parameters;
  clock: Clock;
  /** Put on what is made once for all instances. */
  resourceTags: Tags;
  /** Where subnets are counted. */
  registry?: Registry | undefined;
  warn: DriverWarning;
}

const gib = 2 ** 30;
const hoursInMonth = 30 * 24;

/**
 * Instances of Amazon EC2 in one region (`spec` of the driver contract; EC-1..EC-81). Host keys are left to the instance
 * secret. Holds no lists: what it remembers of instances may be lost at any time.
 */
export class Ec2Driver implements Driver {
  readonly name = 'ec2';
  readonly #options: Ec2DriverOptions;
  readonly #api: Ec2Api;
  readonly #launcher: Launcher;
  readonly #meters: Ec2Meters;
  readonly #known: KnownInstances;
  readonly #endings: Endings;
  readonly #prices: SpotPrices;

  constructor(options: Ec2DriverOptions) {
    const { parameters, clock } = options;
    this.#options = options;
    this.#api = new Ec2Api(parameters, clock);
    this.#meters = new Ec2Meters(parameters.subnetId, options.registry);
    this.#launcher = new Launcher({ ...options, api: this.#api, meters: this.#meters });
    this.#known = new KnownInstances(clock);
    this.#endings = new Endings(this.#api, options.warn);
    this.#prices = new SpotPrices(this.#api, clock, parameters.spotPriceUpdateInterval);
  }

  create(spec: CreateSpec, { signal }: CallOptions): Promise<Instance> {
    return orAborted('create an instance', signal, async () => {
      const made = await this.#launcher.launch(spec, signal);
      this.#known.listed([made], this.#options.clock.now(), false);
      this.#known.tagged(made.id, made.tags);
      return this.#instanceOf(made);
    });
  }

  list(tags: Tags, { signal }: CallOptions): Promise<Instance[]> {
    return orAborted('list instances', signal, async () => {
      const startedAt = this.#options.clock.now();
      const described = await describeInstances(this.#api, tags, signal);
      const instances = described.filter((each) => !isGone(each));
      this.#endings.missed(this.#known.listed(instances, startedAt, true));
      this.#meters.listed(instances);
      this.#refreshPrices(instances);
      return instances.map((each) => this.#instanceOf(each));
    });
  }

  destroy(id: string, { signal }: CallOptions): Promise<void> {
    const command = new TerminateInstancesCommand({ InstanceIds: [id] });
    const request = { what: `destroy instance ${id}`, kind: 'change', signal } as const;
    return orAborted(request.what, signal, async () => {
      this.#endings.ordered(id);
      try {
        await this.#api.send(request, (client, abortSignal) => client.send(command, { abortSignal }));
      } catch (error) {
        if (!(error instanceof DriverError) || error.code !== 'not-found') throw error;
      }
    });
  }

  setTags(id: string, tags: Tags, { signal }: CallOptions): Promise<void> {
    return orAborted(`tag instance ${id}`, signal, async () => {
      const present = this.#known.tagKeysOf(id) ?? (await this.#tagKeysOf(id, signal));
      const superfluous = [...present].filter((key) => !Object.hasOwn(tags, key) && !key.startsWith('aws:'));
      const request = { what: `tag instance ${id}`, kind: 'change', signal } as const;
      const Resources = [id];
      if (Object.keys(tags).length > 0) {
        const command = new CreateTagsCommand({ Resources, Tags: ec2Tags(tags) });
        await this.#api.send(request, (client, abortSignal) => client.send(command, { abortSignal }));
        this.#known.tagged(id, tags);
      }
      if (superfluous.length === 0) return;
      const command = new DeleteTagsCommand({ Resources, Tags: superfluous.map((Key) => ({ Key })) });
      await this.#api.send(request, (client, abortSignal) => client.send(command, { abortSignal }));
    });
  }

  verifyHostKey(_instance: Instance, _key: Uint8Array, { signal }: CallOptions): Promise<undefined> {
    return orAborted('verify a host key', signal, () => Promise.resolve(undefined));
  }

  /** Of its market, and the volume for added scratch beside it (EC-55). */
  priceHistory({ id }: Instance, { addedScratchBytes }: InstanceType): readonly PricePoint[] {
    const market = this.#known.marketOf(id);
    if (!market) return [];
    const { ebsPrice } = this.#options.parameters;
    const volume = addedScratchBytes > 0 ? (ebsPrice * Math.ceil(addedScratchBytes / gib)) / hoursInMonth : 0;
    return this.#prices.of(market).map(({ startAt, price }) => ({ startAt, price: price + volume }));
  }

  quotaGroup(type: InstanceType): string {
    return quotaGroupOf(type, this.#options.parameters.instanceTypeQuotaGroups);
  }

  zones(type: InstanceType): readonly string[] {
    return this.#launcher.zones(type);
  }

  stop(): Promise<void> {
    this.#prices.stop();
    this.#launcher.stop();
    this.#endings.stop();
    this.#api.close();
    return Promise.resolve();
  }

  async #tagKeysOf(id: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const found = await describeInstance(this.#api, id, signal);
    this.#known.listed([found], this.#options.clock.now(), false);
    return this.#known.tagKeysOf(id)!;
  }

  /** Beside the list, which never waits for prices nor fails for lack of them (EC-44). */
  #refreshPrices(instances: readonly ListedInstance[]): void {
    const markets = new Map<string, Market>();
    for (const { isSpot, type, zone } of instances)
      if (isSpot) markets.set(`${type} ${zone}`, { type, zone });
    this.#prices.refresh([...markets.values()]).catch((error: unknown) => {
      const isStopped = error instanceof DriverError && error.code === 'aborted';
      if (!isStopped) this.#options.warn('spot prices could not be asked for', { err: error });
    });
  }

  #instanceOf(listed: ListedInstance): Instance {
    const { adminUsername } = this.#options.parameters;
    return instanceOf(listed, adminUsername, listed.isSpot ? this.#prices.of(listed) : []);
  }
}
