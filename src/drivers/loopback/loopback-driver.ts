import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { Clock } from '../../domain/clock.js';
import type { Instance, Tags } from '../../domain/instance.js';
import { generateKeyPair, rawPublicKeyOf } from '../../ssh/keys.js';
import { startSshServer, type SshServer } from '../../ssh/server.js';
import { orAborted } from '../abortable.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../driver.js';
import { endProcessesOf } from './processes.js';
import type { LoopbackParameters } from './parameters.js';
import { hasTerminals, runInShell } from './shell.js';
import { readState, writeState, type InstanceRecord, type LoopbackState } from './state-file.js';

export interface LoopbackOptions {
  parameters: LoopbackParameters;
  /** Of this instance set alone. */
  folder: string;
  clock: Clock;
}

interface Running {
  server: SshServer | undefined;
  timer: unknown;
}

/**
 * Instances on this very host: each an SSH server on loopback with a key and a folder of its own (12.1). They outlive
 * the daemon: their containers go on, and the next daemon finds the instances in the state file and serves them again.
 */
export class LoopbackDriver implements Driver {
  readonly name = 'loopback';
  readonly #options: LoopbackOptions;
  readonly #statePath: string;
  readonly #state: LoopbackState;
  readonly #running = new Map<string, Running>();
  readonly #starting: Promise<void>;
  #isStopped = false;

  /** Throws {@link DriverError} `invalid` when the state file is damaged. */
  constructor(options: LoopbackOptions) {
    this.#options = options;
    this.#statePath = join(options.folder, 'instances.json');
    this.#state = readState(this.#statePath);
    this.#starting = Promise.all(this.#state.instances.map((record) => this.#tryToServe(record))).then(
      () => {},
    );
  }

  create(spec: CreateSpec, { signal }: CallOptions): Promise<Instance> {
    return orAborted('create', signal, () => this.#create(spec));
  }

  list(_tags: Tags, { signal }: CallOptions): Promise<Instance[]> {
    return orAborted('list', signal, async () => {
      await this.#starting;
      return this.#state.instances.map((record) => this.#instance(record));
    });
  }

  destroy(id: string, { signal }: CallOptions): Promise<void> {
    return orAborted('destroy', signal, () => this.#destroy(id));
  }

  setTags(id: string, tags: Tags, { signal }: CallOptions): Promise<void> {
    return orAborted('setTags', signal, async () => {
      const record = this.#state.instances.find((each) => each.id === id);
      if (!record) throw new DriverError('not-found', `there is no instance ${id}`);
      const before = record.tags;
      record.tags = { ...tags };
      this.#saveOr(() => (record.tags = before));
    });
  }

  verifyHostKey(instance: Instance, key: Uint8Array, { signal }: CallOptions): Promise<boolean> {
    return orAborted('verifyHostKey', signal, async () => {
      const record = this.#state.instances.find((each) => each.id === instance.id);
      return record !== undefined && rawPublicKeyOf(record.hostKey).equals(key);
    });
  }

  priceHistory(): readonly [] {
    return [];
  }

  quotaGroup(): string {
    return '';
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#starting;
    for (const { server, timer } of this.#running.values()) {
      this.#options.clock.clearTimeout(timer);
      await server?.close();
    }
    this.#running.clear();
  }

  async #create(spec: CreateSpec): Promise<Instance> {
    await this.#starting;
    const { parameters, clock } = this.#options;
    const known = this.#state.instances.find(({ wish }) => wish !== '' && wish === spec.idempotencyToken);
    if (known) return this.#instance(known);
    if (this.#state.instances.length >= parameters.maxInstances) {
      throw new DriverError(
        'quota',
        `this host may have ${parameters.maxInstances} loopback instances and has them`,
        {
          remedy: 'raise driverParameters.maxInstances',
        },
      );
    }
    if (spec.publicKey === undefined) {
      throw new DriverError('invalid', 'a loopback instance needs the public key that may log in', {
        remedy: 'set pool.deployPublicKey to true',
      });
    }
    if (ssh2.utils.parseKey(spec.publicKey) instanceof Error) {
      throw new DriverError('invalid', 'the public key that may log in cannot be read');
    }
    const record: InstanceRecord = {
      id: `loopback-${this.#state.nextNumber++}`,
      providerType: spec.instanceType.providerType,
      tags: { ...spec.tags },
      hostKey: generateKeyPair().privateKey,
      authorizedKey: spec.publicKey,
      wish: spec.idempotencyToken,
      createdAt: clock.now(),
    };
    this.#state.instances.push(record);
    this.#saveOr(() => void this.#state.instances.splice(this.#state.instances.indexOf(record), 1));
    if (parameters.bootDelayMs === 0) await this.#serve(record);
    else this.#serveLater(record, parameters.bootDelayMs);
    return this.#instance(record);
  }

  async #destroy(id: string): Promise<void> {
    await this.#starting;
    const record = this.#state.instances.find((each) => each.id === id);
    if (!record) return;
    const running = this.#running.get(id);
    this.#running.delete(id);
    this.#options.clock.clearTimeout(running?.timer);
    await running?.server?.close();
    if (!(await endProcessesOf(this.#folderOf(id)))) {
      throw new DriverError('unavailable', `processes of ${id} do not end`, { remedy: 'end them by hand' });
    }
    // Looked up only now: others may have come and gone while the server closed.
    const index = this.#state.instances.indexOf(record);
    if (index === -1) return;
    this.#state.instances.splice(index, 1);
    this.#saveOr(() => void this.#state.instances.push(record));
    rmSync(this.#folderOf(id), { recursive: true, force: true, maxRetries: 5 });
  }

  /** An instance that cannot be served stays without an address, so that its boot timeout retires it; the others go on. */
  async #tryToServe(record: InstanceRecord): Promise<void> {
    try {
      await this.#serve(record);
    } catch (error) {
      process.emitWarning(`loopback instance ${record.id} cannot be reached: ${String(error)}`);
    }
  }

  async #serve(record: InstanceRecord): Promise<void> {
    const folder = this.#folderOf(record.id);
    const env = { LONGSHORE_LOCK_DIR: join(folder, 'lock'), LONGSHORE_STATE_DIR: join(folder, 'state') };
    for (const each of Object.values(env)) mkdirSync(each, { recursive: true, mode: 0o700 });
    const server = await startSshServer({
      host: '127.0.0.1',
      port: 0,
      hostKey: record.hostKey,
      authorizedKeys: [record.authorizedKey],
      hasTerminals,
      run: (request) => runInShell(request, env),
    });
    if (this.#isStopped || !this.#state.instances.includes(record)) await server.close();
    else this.#running.set(record.id, { server, timer: undefined });
  }

  #serveLater(record: InstanceRecord, delayMs: number): void {
    const timer = this.#options.clock.setTimeout(() => void this.#tryToServe(record), delayMs);
    this.#running.set(record.id, { server: undefined, timer });
  }

  #instance(record: InstanceRecord): Instance {
    const port = this.#running.get(record.id)?.server?.port;
    return {
      id: record.id,
      displayName: record.id,
      providerType: record.providerType,
      address: port === undefined ? '' : `127.0.0.1:${port}`,
      remoteUser: 'root',
      tags: { ...record.tags },
      priceHistory: [],
    };
  }

  #folderOf(id: string): string {
    return join(this.#options.folder, id);
  }

  /** Writes the state; what cannot be written is undone, so that memory and disk say the same. */
  #saveOr(undo: () => void): void {
    try {
      writeState(this.#statePath, this.#state);
    } catch (error) {
      undo();
      throw error;
    }
  }
}
