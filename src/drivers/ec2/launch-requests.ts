import { RunInstancesCommand, type Instance as Ec2Instance } from '@aws-sdk/client-ec2';
import type { Clock } from '../../domain/clock.js';
import { abortError } from '../abortable.js';
import { DriverError, type CreateSpec } from '../driver.js';
import type { Ec2Api } from './api.js';
import { launchTags } from './launch-tags.js';
import { isGone, type ListedInstance } from './listed-instance.js';
import type { Ec2Parameters } from './parameters.js';
import { secretsIn } from './redactor.js';
import { runInstancesInput, userData, type Placement } from './run-instances.js';
import { Ec2Fault } from './translate-error.js';

export interface LaunchRequestsOptions {
  api: Ec2Api;
  parameters: Ec2Parameters;
  clock: Clock;
}

/** So long an order waits for others at most. */
const longestWaitMs = 1_000;
/** What EC2 takes. */
const most = { tags: 50, userDataBytes: 16_384 };
/** Orders that are remembered: far more than can be under way at once. */
const mostKnown = 10_000;

interface Order {
  spec: CreateSpec;
  signal: AbortSignal;
  resolve(instance: ListedInstance): void;
  reject(error: unknown): void;
}

/** Orders that differ in nothing but tags and init command. */
interface Line {
  underWay: number;
  waiting: Order[];
  timer: unknown;
}

type Specs = readonly [CreateSpec, ...CreateSpec[]];

/**
 * The requests for instances (EC-10..EC-19). While one is under way, orders like it wait for the next one, which asks for
 * as many instances as there are orders: the limit of EC2 is on requests first. An order alone goes at once.
 */
export class LaunchRequests {
  readonly #options: LaunchRequestsOptions;
  readonly #lines = new Map<string, Line>();
  /** By order and subnet: the request that it was part of, and its place there. */
  readonly #known = new Map<string, { specs: Specs; index: number }>();

  constructor(options: LaunchRequestsOptions) {
    this.#options = options;
  }

  /** One instance. Rejects with {@link DriverError}. */
  launch(spec: CreateSpec, placement: Placement, signal: AbortSignal): Promise<ListedInstance> {
    const known = this.#known.get(keyOf(spec, placement));
    // EC2 gives the answer that it gave, as long as it is asked the same.
    if (known) return this.#ask(known.specs, placement, signal).then((made) => made(known.index));
    const isAlone = this.#options.parameters.instancesPerRequest === 1 || spec.instanceType.preemptible;
    if (isAlone) return this.#ask([spec], placement, signal).then((made) => made(0));
    return new Promise((resolve, reject) => {
      this.#enter({ spec, signal, resolve, reject }, placement);
    });
  }

  stop(): void {
    for (const { timer } of this.#lines.values()) this.#options.clock.clearTimeout(timer);
  }

  #enter(order: Order, placement: Placement): void {
    const { clock, parameters } = this.#options;
    const blank = { ...order.spec, tags: {}, initCommand: '', idempotencyToken: '' };
    const key = JSON.stringify(runInstancesInput([blank], parameters, placement));
    const line = this.#lines.get(key) ?? { underWay: 0, waiting: [], timer: undefined };
    this.#lines.set(key, line);
    line.waiting.push(order);
    if (line.underWay === 0) return this.#serve(key, line, placement);
    line.timer ??= clock.setTimeout(() => this.#serve(key, line, placement), longestWaitMs);
  }

  #serve(key: string, line: Line, placement: Placement): void {
    this.#options.clock.clearTimeout(line.timer);
    line.timer = undefined;
    for (;;) {
      const orders = this.#next(line, placement);
      if (orders.length === 0) return;
      line.underWay++;
      void this.#carryOut(orders, placement).then(() => {
        line.underWay--;
        if (line.waiting.length > 0) this.#serve(key, line, placement);
        else if (line.underWay === 0) this.#lines.delete(key);
      });
    }
  }

  /** As many of those that wait as go together. */
  #next(line: Line, placement: Placement): Order[] {
    const orders = new Map<string, Order>();
    const later: Order[] = [];
    for (const order of line.waiting) {
      const { spec, signal, resolve, reject } = order;
      const key = keyOf(spec, placement);
      if (signal.aborted) reject(abortError(signal, 'create an instance'));
      else if (this.#known.has(key)) this.launch(spec, placement, signal).then(resolve, reject);
      else if (orders.has(key) || orders.size === this.#options.parameters.instancesPerRequest)
        later.push(order);
      else orders.set(key, order);
    }
    const next = [...orders.values()];
    while (next.length > 1 && !fits(next.map(({ spec }) => spec))) later.unshift(next.pop()!);
    line.waiting = later;
    return next;
  }

  async #carryOut(orders: readonly Order[], placement: Placement): Promise<void> {
    const specs = orders.map(({ spec }) => spec) as unknown as Specs;
    this.#remember(specs, placement);
    const isOver = new AbortController();
    try {
      const signals = orders.map(({ signal }) => signal);
      const made = await this.#ask(specs, placement, allOf(signals, isOver.signal));
      for (const [index, { resolve, reject }] of orders.entries()) {
        try {
          resolve(made(index));
        } catch (error) {
          reject(error);
        }
      }
    } catch (error) {
      // Nothing came of a request that was refused.
      if (!mayHaveSucceeded(error)) for (const spec of specs) this.#known.delete(keyOf(spec, placement));
      for (const { reject } of orders) reject(error);
    } finally {
      isOver.abort();
    }
  }

  #remember(specs: Specs, placement: Placement): void {
    for (const [index, spec] of specs.entries()) this.#known.set(keyOf(spec, placement), { specs, index });
    while (this.#known.size > mostKnown) this.#known.delete(this.#known.keys().next().value!);
  }

  /** What came of the order at a place of the request; that throws {@link DriverError} when nothing did. */
  async #ask(
    specs: Specs,
    placement: Placement,
    signal: AbortSignal,
  ): Promise<(index: number) => ListedInstance> {
    const { api, parameters } = this.#options;
    const command = new RunInstancesCommand(runInstancesInput(specs, parameters, placement));
    const hidden = [
      userData(specs),
      ...specs.flatMap(({ initCommand, secrets = [] }) => [...secretsIn(initCommand), ...secrets]),
    ];
    const where = placement.subnetId === '' ? '' : ` in ${placement.subnetId}`;
    const how = specs.length === 1 ? 'a' : `${specs.length} times a`;
    const what = `create ${how} ${specs[0].instanceType.providerType} instance${where}`;
    const { Instances: made = [] } = await api.send(
      { what, kind: 'create', signal, hidden },
      (client, abortSignal) => client.send(command, { abortSignal }),
    );
    return (index) => {
      const isFound = ({ AmiLaunchIndex }: Ec2Instance): boolean => AmiLaunchIndex === index;
      const found = specs.length === 1 ? made[0] : made.find(isFound);
      if (made.length > 0 && !found) throw fewer(what, made.length, specs.length);
      return madeInstance(what, found, specs, index);
    };
  }
}

function keyOf({ idempotencyToken }: CreateSpec, { subnetId }: Placement): string {
  return `${idempotencyToken}\n${subnetId}`;
}

function fits(specs: readonly CreateSpec[]): boolean {
  const bytes = Buffer.byteLength(userData(specs), 'base64');
  const tags = launchTags(specs.map((spec) => spec.tags));
  return bytes <= most.userDataBytes && Object.keys(tags).length <= most.tags;
}

function mayHaveSucceeded(error: unknown): boolean {
  return !(error instanceof DriverError) || error.code === 'unavailable' || error.code === 'aborted';
}

/** Aborts when all of these have; looks at them until `isOver`. */
function allOf(signals: readonly AbortSignal[], isOver: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const look = (): void => {
    if (signals.every(({ aborted }) => aborted)) controller.abort(signals.at(-1)!.reason);
  };
  for (const signal of signals) signal.addEventListener('abort', look, { signal: isOver });
  look();
  return controller.signal;
}

/** EC2 makes as many as it has room for (MaxCount, RunInstances in the Amazon EC2 API Reference). */
function fewer(what: string, made: number, wanted: number): DriverError {
  const said = `EC2 had room for ${made} of ${wanted}`;
  const cause = new Ec2Fault('InsufficientInstanceCapacity', said, undefined, undefined);
  return new DriverError('capacity', `${what}: ${said}`, {
    cause,
    scope: 'type',
    remedy: 'configure more types, or subnets in other zones',
  });
}

/** Throws {@link DriverError} for a reply that tells of no instance (EC-19, DW-4) or of one that has ended already. */
function madeInstance(
  what: string,
  made: Ec2Instance | undefined,
  specs: Specs,
  launchIndex: number,
): ListedInstance {
  if (!made?.InstanceId) {
    throw new DriverError('unavailable', `${what}: EC2 accepted the request and told of no instance`, {
      remedy: 'should one appear in the list, it is taken into service or destroyed',
    });
  }
  const instance: ListedInstance = {
    id: made.InstanceId,
    state: made.State?.Name ?? '',
    type: made.InstanceType ?? specs[0].instanceType.providerType,
    privateIp: made.PrivateIpAddress ?? '',
    subnetId: made.SubnetId ?? '',
    zone: made.Placement?.AvailabilityZone ?? '',
    isSpot: made.InstanceLifecycle === 'spot',
    launchIndex,
    tags: launchTags(specs.map(({ tags }) => tags)),
  };
  if (!isGone(instance)) return instance;
  const reason = made.StateReason?.Code ?? made.StateTransitionReason ?? 'no reason was given';
  throw new DriverError('unavailable', `${what}: instance ${instance.id} has ended already: ${reason}`);
}
