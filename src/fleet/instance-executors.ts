import { timingSafeEqual } from 'node:crypto';
import type { Instance, TagKeys } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import { describeHostKey, type HostKey, type PinnedHostKey } from '../domain/host-key.js';
import { isSecretFingerprint, secretFingerprint } from '../domain/ids.js';
import type { Driver } from '../drivers/driver.js';
import {
  ExecutorError,
  type CommandResult,
  type Executor,
  type ExecutorFactory,
  type ExecutorTarget,
  type HostVerifier,
  type RunOptions,
} from '../ssh/executor.js';
import { hostKeyOf } from '../ssh/host-key.js';
import { Conduct } from './conduct.js';
import { HostKeys } from './host-keys.js';
import type { ConnectionKeeper } from './worker-registry.js';
import { asRoot } from '../runner/remote-command.js';

/** Where the init command puts the secret of the instance (L-6). */
export const secretFile = '/var/run/arvados-instance-secret';

export interface ExecutorsOptions {
  factory: ExecutorFactory;
  driver: Driver;
  tagKeys: TagKeys;
  onConnection(instanceId: string, what: 'established' | 'verified' | 'lost', error?: ExecutorError): void;
  /** Hears what instances do that they must not. Default: one of its own, which nobody asks. */
  conduct?: Conduct;
  /** Default: those of this process. */
  hostKeys?: HostKeys;
}

interface Entry {
  executor: Executor;
  instance: Instance;
  type: InstanceType;
  /** Where the runner program was put, when not where it should be. */
  runnerPath?: string | undefined;
}

/** An effect was asked for an instance that is not there any more. */
export class UnknownInstanceError extends Error {
  constructor(instanceId: string) {
    super(`instance ${instanceId} is not known`);
    this.name = 'UnknownInstanceError';
  }
}

/** One executor for each instance, from the moment it is known until it is gone (X-1, W-5). */
export class Executors implements ConnectionKeeper {
  readonly conduct: Conduct;
  readonly hostKeys: HostKeys;
  readonly #options: ExecutorsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ExecutorsOptions) {
    this.#options = options;
    this.conduct = options.conduct ?? unwatched();
    this.hostKeys = options.hostKeys ?? new HostKeys({ clock: { now: () => 0 } });
  }

  add(instance: Instance, type: InstanceType): void {
    const { factory, onConnection } = this.#options;
    const { id } = instance;
    const made = factory(this.#targetOf(instance), this.#verifierOf(id), {
      connected: () => onConnection(id, 'established'),
      verified: () => onConnection(id, 'verified'),
      lost: (error) => onConnection(id, 'lost', error),
    });
    const executor = judged(made, (error, options) => this.#judge(id, error, options));
    void this.#entries.get(id)?.executor.close();
    this.#entries.set(id, { executor, instance, type });
  }

  update(instance: Instance): void {
    const entry = this.#entries.get(instance.id);
    if (!entry) return;
    entry.instance = instance;
    entry.executor.setTarget(this.#targetOf(instance));
  }

  remove(instanceId: string): void {
    const entry = this.#entries.get(instanceId);
    this.#entries.delete(instanceId);
    void entry?.executor.close();
  }

  /** The runner program is there now; `undefined`: where it should be. */
  placed(instanceId: string, runnerPath: string | undefined): void {
    const entry = this.#entries.get(instanceId);
    if (entry) entry.runnerPath = runnerPath;
  }

  /** Throws {@link UnknownInstanceError}. */
  of(instanceId: string): Readonly<Entry> {
    const entry = this.#entries.get(instanceId);
    if (!entry) throw new UnknownInstanceError(instanceId);
    return entry;
  }

  /**
   * Pins another host key, by an operator's word, and ends the connections that were made with the key before. Throws
   * {@link UnknownInstanceError} and `HostKeyError`. Returns undefined when that key is pinned already.
   */
  acceptHostKey(instanceId: string, fingerprint: string | undefined): PinnedHostKey | undefined {
    const { instance, type, runnerPath } = this.of(instanceId);
    const pinned = this.hostKeys.accept(instanceId, fingerprint);
    if (!pinned) return undefined;
    this.add(instance, type);
    this.placed(instanceId, runnerPath);
    return pinned;
  }

  /** An instance that prints too much is at fault; of the boot probe, the command may be. */
  #judge(instanceId: string, error: unknown, { shell }: RunOptions): void {
    if (!(error instanceof ExecutorError) || !error.breach) return;
    const strike = { instanceId, kind: error.breach, because: error.message };
    if (shell === 'login') this.conduct.strike(strike);
    else this.conduct.breach(strike);
  }

  /** The driver's word, or the secret that only the instance and its tag know (X-6, DI-12); then the pinned key. */
  #verifierOf(instanceId: string): HostVerifier {
    return async (key, run, signal) => {
      const entry = this.of(instanceId);
      const { instance } = entry;
      const verdict = await this.#options.driver.verifyHostKey(instance, key, { signal });
      if (verdict === false) throw new Error('the provider says that this is not the key of the instance');
      if (verdict === undefined) await this.#askSecret(entry, run);
      // It may have gone, or an operator may have accepted another key, while it was asked.
      if (this.#entries.get(instanceId) !== entry) throw new UnknownInstanceError(instanceId);
      if (verdict === true) this.hostKeys.vouched(instanceId, hostKeyOf(key));
      else this.#admit(instanceId, hostKeyOf(key));
      entry.executor.setTarget(this.#targetOf(entry.instance));
    };
  }

  async #askSecret({ instance }: Entry, run: Parameters<HostVerifier>[1]): Promise<void> {
    const expected = instance.tags[this.#options.tagKeys.instanceSecret] ?? '';
    if (expected === '') throw new Error('the instance has no secret, so its host cannot be verified');
    const told = await readSecret(() => run(asRoot(`cat ${secretFile}`, instance.remoteUser)));
    if (!isSecret(told, expected)) throw new Error('bad instance secret');
  }

  /** Only what proved itself comes so far: a stranger who answers in its place does the instance no harm. */
  #admit(instanceId: string, key: HostKey): void {
    const pinned = this.hostKeys.of(instanceId);
    if (this.hostKeys.proven(instanceId, key)) return;
    const because = `its host key changed: ${describeHostKey(pinned!)} is pinned, and it shows ${describeHostKey(key)}`;
    if (!this.conduct.quarantineOf(instanceId))
      this.conduct.breach({ instanceId, kind: 'host-key', because });
    throw new Error(because);
  }

  #targetOf({ id, address, remoteUser }: Instance): ExecutorTarget {
    const hostKeyType = this.hostKeys.of(id)?.type ?? '';
    return { address, remoteUser, ...(hostKeyType !== '' && { hostKeyType }) };
  }
}

function unwatched(): Conduct {
  const nothing = (): void => {};
  return new Conduct({
    clock: { now: () => 0 },
    isGiven: () => false,
    onStrike: nothing,
    onQuarantine: nothing,
  });
}

/** The same executor, with an observer of its commands that fail. */
function judged(executor: Executor, failed: (error: unknown, options: RunOptions) => void): Executor {
  return {
    run: async (command, options) => {
      try {
        return await executor.run(command, options);
      } catch (error) {
        failed(error, options);
        throw error;
      }
    },
    open: (command, options) => executor.open(command, options),
    ...(executor.openSession && { openSession: (options) => executor.openSession!(options) }),
    setTarget: (target) => executor.setTarget(target),
    close: () => executor.close(),
  };
}

/** What the file holds. The error of a failed command keeps its code, but not what the command printed. */
async function readSecret(cat: () => Promise<CommandResult>): Promise<string> {
  try {
    return (await cat()).stdout;
  } catch (error) {
    if (!(error instanceof ExecutorError)) throw error;
    const { code, exitCode, message, stderr } = error;
    const options = exitCode === undefined ? { stderr } : { stderr, exitCode };
    throw new ExecutorError(code, `the secret of the instance could not be read: ${message}`, options);
  }
}

/** The tag holds the fingerprint of the secret, or the secret itself: so the reference dispatcher has it, and `plainSecretTag`. */
function isSecret(told: string, expected: string): boolean {
  const actual = Buffer.from(isSecretFingerprint(expected) ? secretFingerprint(told) : told);
  const wanted = Buffer.from(expected);
  return actual.length === wanted.length && timingSafeEqual(actual, wanted);
}
