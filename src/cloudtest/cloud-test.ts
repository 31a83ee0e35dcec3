import { createSpecOf, type CreateInstanceDeps } from '../actors/create-instance.js';
import { Executors } from '../fleet/instance-executors.js';
import type { Instance, Tags } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import { DriverError } from '../drivers/driver.js';
import { parseAddress } from '../ssh/address.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import type { CloudTestReport, LoginHint, StepReport } from './report.js';
import { Steps, type StepsOptions } from './steps.js';

export interface CloudTestOptions extends CreateInstanceDeps, StepsOptions {
  executors: ExecutorFactory;
  instanceType: InstanceType;
  /** Tags of every instance, in addition to those of the test. */
  resourceTags: Tags;
  /** Forty hex digits. */
  newSecret(): string;
  defaultPort: string;
  bootProbeCommand: string;
  /** Command to run after the boot; `''`: none. */
  command: string;
  /** Destroy the instances of an earlier test first. */
  destroysLeftovers: boolean;
  /** Lets an operator inspect the instance. */
  lookAround?: ((login: LoginHint, signal: AbortSignal) => Promise<void>) | undefined;
  timeoutBootingMs: number;
  timeoutDestroyMs: number;
  /** Time between two checks. */
  pauseMs: number;
}

const commandTimeoutMs = 600_000;
const tryTimeoutMs = 30_000;
const latestAppearanceMs = 30_000;
const probeTag = 'LongshoreCloudTest';

/**
 * Takes one instance from creation to destruction, like the pool, once for each zone of the type (CT-5, CT-6). Collects
 * failures (CT-7) and destroys the created instances in any case, also after an abort.
 */
export class CloudTest {
  readonly #options: CloudTestOptions;
  readonly #steps: Steps;
  readonly #executors: Executors;
  #instance: Instance | undefined;
  #hostKey: Uint8Array = new Uint8Array();
  #left: string[] = [];

  constructor(options: CloudTestOptions) {
    this.#options = options;
    this.#steps = new Steps(options);
    this.#executors = new Executors({
      driver: options.driver,
      tagKeys: options.tagKeys,
      factory: (target, verify, observer) =>
        options.executors(
          target,
          async (key, run, signal) => {
            await verify(key, run, signal);
            this.#hostKey = key;
          },
          observer,
        ),
      onConnection: () => {},
    });
  }

  async run(): Promise<CloudTestReport> {
    const { driver, instanceType } = this.#options;
    const zones = driver.zones?.(instanceType) ?? [];
    for (const zone of zones.length === 0 ? [''] : zones) {
      this.#steps.enter(zone);
      if (!(await this.#isReady())) break;
      await this.#oneLife(zone);
    }
    const { reports } = this.#steps;
    const wasGivenUp = this.#options.signal.aborted;
    const ok = !wasGivenUp && reports.every((report: StepReport) => report.ok);
    return { ok, driver: driver.name, instanceType: instanceType.name, steps: reports, left: this.#left };
  }

  /** Checks that the provider responds and that no instance of an earlier test is left. */
  async #isReady(): Promise<boolean> {
    const { driver, destroysLeftovers } = this.#options;
    const all = await this.#steps.take('list', async (say, signal) => {
      const instances = await driver.list({}, { signal });
      say(`${instances.length} instances in all`);
      return instances;
    });
    if (!all) return false;
    const ours = all.filter(({ tags }) => this.#isOurs(tags));
    if (ours.length === 0) return true;
    const gone = await this.#steps.take('leftovers', async (say, signal) => {
      const ids = ours.map(({ id }) => id).join(', ');
      if (!destroysLeftovers) {
        throw new Error(`${ids} of an earlier test: give --destroy-existing, or another --set-id`);
      }
      await this.#destroyAll(signal);
      say(`${ids} destroyed`);
      return true;
    });
    return gone ?? false;
  }

  async #oneLife(zone: string): Promise<void> {
    const { clock, timeoutBootingMs } = this.#options;
    const deadlineAt = clock.now() + timeoutBootingMs;
    const secret = this.#options.newSecret();
    const spec = createSpecOf(this.#options, { instanceType: this.#options.instanceType, secret, zone });
    let refusal: unknown;
    const made = await this.#steps.take('create', async (say, signal) => {
      const instance = await this.#options.driver.create(spec, { signal }).catch((error: unknown) => {
        refusal = error;
        throw error;
      });
      say(`${instance.id}, ${instance.providerType}`);
      return instance;
    });
    if (!made && !mayExist(refusal)) return;
    try {
      if (made) await this.#look(made, { ...this.#options.resourceTags, ...spec.tags }, deadlineAt);
    } finally {
      if (made) this.#executors.remove(made.id);
      await this.#cleanUp();
    }
  }

  /** The steps between creation and destruction. */
  async #look(made: Instance, wanted: Tags, deadlineAt: number): Promise<void> {
    const { driver, pauseMs, bootProbeCommand, command } = this.#options;
    const find = async (signal: AbortSignal): Promise<Instance | undefined> => {
      const listed = await driver.list({}, { signal });
      return listed.find(({ id }) => id === made.id);
    };
    const wait = <T>(what: string, signal: AbortSignal, check: () => Promise<T | undefined>): Promise<T> =>
      this.#steps.until(what, { deadlineAt, pauseMs, signal }, check);
    this.#instance = made;
    const listed = await this.#steps.take('listed', (_say, signal) =>
      wait(`${made.id} did not appear in the list`, signal, () => find(signal)),
    );
    if (!listed) return;
    this.#executors.add(listed, this.#options.instanceType);
    const addressed = await this.#steps.take('address', async (say, signal) => {
      const found = await wait('no address was known', signal, async () => {
        const now = await find(signal);
        return now && now.address !== '' ? now : undefined;
      });
      say(this.#loginLine(found));
      return found;
    });
    await this.#checkTags(addressed ?? listed, wanted, find, wait);
    if (!addressed) return;
    this.#executors.update(addressed);
    const run = (what: string, text: string, timeoutMs: number) => (_say: unknown, signal: AbortSignal) =>
      wait(what, signal, async () => {
        const now = await find(signal);
        if (now) this.#executors.update(now);
        return this.#executors.of(made.id).executor.run(text, { timeoutMs, signal, shell: 'login' });
      });
    const login = await this.#steps.take('login', run('login failed', 'true', tryTimeoutMs));
    if (!login) return;
    await this.#steps.take('boot probe', run('it did not succeed', bootProbeCommand || 'true', tryTimeoutMs));
    if (command !== '') {
      await this.#steps.take('command', async (say, signal) => {
        const { executor } = this.#executors.of(made.id);
        const { stdout } = await executor.run(command, {
          timeoutMs: commandTimeoutMs,
          signal,
          shell: 'login',
        });
        say(stdout.trim().split('\n').at(-1)?.slice(0, 200) ?? '');
      });
    }
    await this.#lookAround(addressed);
  }

  async #checkTags(
    instance: Instance,
    wanted: Tags,
    find: (signal: AbortSignal) => Promise<Instance | undefined>,
    wait: <T>(what: string, signal: AbortSignal, check: () => Promise<T | undefined>) => Promise<T>,
  ): Promise<void> {
    const { driver } = this.#options;
    const has = (tags: Tags | undefined): boolean =>
      tags !== undefined && Object.entries(wanted).every(([key, value]) => tags[key] === value);
    await this.#steps.take('tags', async (say) => {
      const missing = Object.entries(wanted).filter(([key, value]) => instance.tags[key] !== value);
      if (missing.length > 0) throw new Error(`not as ordered: ${missing.map(([key]) => key).join(', ')}`);
      say(`all ${Object.keys(instance.tags).length} are there`);
    });
    await this.#steps.take('set tags', async (say, signal) => {
      const { id, tags } = instance;
      await driver.setTags(id, { ...tags, [probeTag]: 'round trip' }, { signal });
      await wait('a tag that was set did not appear', signal, async () => {
        const now = (await find(signal))?.tags;
        return has(now) && now?.[probeTag] === 'round trip' ? now : undefined;
      });
      await driver.setTags(id, tags, { signal });
      await wait('a tag that was taken away stayed', signal, async () => {
        const now = (await find(signal))?.tags;
        return has(now) && now?.[probeTag] === undefined ? now : undefined;
      });
      say('set, seen and taken away');
    });
  }

  async #lookAround(instance: Instance): Promise<void> {
    const { lookAround, defaultPort } = this.#options;
    if (!lookAround) return;
    const hint = { ...parseAddress(instance.address, defaultPort), user: instance.remoteUser };
    await this.#steps.take('look around', (_say, signal) =>
      lookAround({ ...hint, hostKey: this.#hostKey }, signal),
    );
  }

  /** Has its own signal, because an abort must not skip the clean-up. */
  async #cleanUp(): Promise<void> {
    const { signal } = new AbortController();
    const isGone = await this.#steps.take(
      'destroy',
      async (say) => {
        const lateMs = this.#instance ? 0 : Math.min(latestAppearanceMs, this.#options.timeoutBootingMs);
        await this.#destroyAll(signal, lateMs);
        say('gone from the list');
        return true;
      },
      signal,
    );
    if (!isGone) this.#left.push(this.#instance?.id ?? 'unknown');
    this.#instance = undefined;
  }

  /** Destroys until two lists in a row show none, for at least `lateMs`: an unanswered create call may appear late. */
  async #destroyAll(signal: AbortSignal, lateMs = 0): Promise<void> {
    const { clock, driver, pauseMs, timeoutDestroyMs } = this.#options;
    const quietAt = clock.now() + lateMs;
    let empty = 0;
    await this.#steps.until(
      'it did not leave the list',
      { deadlineAt: quietAt + timeoutDestroyMs, pauseMs, signal },
      async () => {
        const ids = new Set(this.#instance && empty === 0 ? [this.#instance.id] : []);
        const listed = await driver.list({}, { signal });
        for (const { id, tags } of listed) if (this.#isOurs(tags)) ids.add(id);
        for (const id of ids) await driver.destroy(id, { signal });
        const remains = listed.some(({ id, tags }) => ids.has(id) || this.#isOurs(tags));
        empty = remains ? 0 : empty + 1;
        return empty >= 2 && clock.now() >= quietAt ? true : undefined;
      },
    );
  }

  #isOurs(tags: Tags): boolean {
    return tags[this.#options.tagKeys.instanceSetId] === this.#options.instanceSetId;
  }

  #loginLine({ address, remoteUser }: Instance): string {
    const { host, port } = parseAddress(address, this.#options.defaultPort);
    return `ssh -p${port} ${remoteUser}@${host}`;
  }
}

/** After some failures an instance may exist; after a refusal certainly none does. */
function mayExist(error: unknown): boolean {
  const { code } = DriverError.from(error);
  return code === 'unavailable' || code === 'aborted';
}
