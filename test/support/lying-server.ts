import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { parseStubCommand, type StubCommand } from '../../src/drivers/simulated/stub-command.js';
import { generateKeyPair, rawPublicKeyOf } from '../../src/ssh/keys.js';
import { startSshServer, type SshCommandRequest, type SshServer } from '../../src/ssh/server.js';

/** What a command is for: what behaviours are switched by. */
export type CommandKind = StubCommand['kind'];

/**
 * What the server does in place of an honest answer. Resolves to the exit status; `honest` gives the true answer, for a
 * lie that adds to it. A frame is printed around what it writes.
 */
export type Behaviour = (request: SshCommandRequest, honest: () => Promise<number>) => Promise<number>;

export interface LyingServerOptions {
  /** OpenSSH public key line that may log in. */
  authorizedKey: string;
  /** OpenSSH private key text. Default: a new one. */
  hostKey?: string;
  /** The truth. Default: every command prints nothing and exits with 0. */
  honest?: Behaviour | ((request: SshCommandRequest) => Promise<number>);
  /** Whether a frame is printed around what a command of the kind prints. Default: always. */
  isFramed?(kind: CommandKind): boolean;
}

/**
 * An SSH server that answers honestly until it is told otherwise, for each kind of command by itself: a list of
 * behaviours, switched on and off at any time. `any` stands for all kinds that have no behaviour of their own.
 */
export class LyingServer {
  readonly #options: LyingServerOptions;
  readonly #behaviours = new Map<CommandKind | 'any', Behaviour>();
  #server: SshServer | undefined;
  #hostKey: string;
  /** Kinds of the commands that came, in their order; the latest 10,000. */
  readonly asked: CommandKind[] = [];

  private constructor(options: LyingServerOptions) {
    this.#options = options;
    this.#hostKey = options.hostKey ?? generateKeyPair().privateKey;
  }

  static async start(options: LyingServerOptions): Promise<LyingServer> {
    const server = new LyingServer(options);
    await server.#listen(0);
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#server!.port}`;
  }

  /** As the wire has it. */
  get hostKey(): Buffer {
    return rawPublicKeyOf(this.#hostKey);
  }

  /** From the next command on. */
  lie(kind: CommandKind | 'any', behaviour: Behaviour): void {
    this.#behaviours.set(kind, behaviour);
  }

  beHonest(kind?: CommandKind | 'any'): void {
    if (kind === undefined) this.#behaviours.clear();
    else this.#behaviours.delete(kind);
  }

  /** Hangs up, and comes back at the same address with another host key. */
  async changeHostKey(hostKey = generateKeyPair().privateKey): Promise<void> {
    const { port } = this.#server!;
    await this.close();
    this.#hostKey = hostKey;
    await this.#listen(port);
  }

  async hangUp(): Promise<void> {
    const { port } = this.#server!;
    await this.close();
    await this.#listen(port);
  }

  close(): Promise<void> {
    return this.#server!.close();
  }

  async #listen(port: number): Promise<void> {
    const { isFramed } = this.#options;
    this.#server = await startSshServer({
      host: '127.0.0.1',
      port,
      hostKey: this.#hostKey,
      authorizedKeys: [this.#options.authorizedKey],
      run: (request) => this.#serve(request),
      ...(isFramed && { isFramed: (command) => isFramed(parseStubCommand(command).kind) }),
    });
  }

  #serve(request: SshCommandRequest): Promise<number> {
    const { kind } = parseStubCommand(request.command);
    this.asked.push(kind);
    if (this.asked.length > 10_000) this.asked.splice(0, 5_000);
    const { honest: truth = () => Promise.resolve(0) } = this.#options;
    const honest = (): Promise<number> => truth(request, () => Promise.resolve(0));
    const behaviour = this.#behaviours.get(kind) ?? this.#behaviours.get('any');
    return behaviour ? behaviour(request, honest) : honest();
  }
}

/** Lies to choose from; each is a {@link Behaviour}, or makes one. */
export const lies = {
  /** Prints the text, then exits. */
  says:
    (text: string, status = 0): Behaviour =>
    async ({ stdout }) => {
      await write(stdout, Buffer.from(text));
      return status;
    },
  /** The honest answer, and the text. */
  adds:
    (text: string): Behaviour =>
    async ({ stdout }, honest) => {
      const status = await honest();
      await write(stdout, Buffer.from(text));
      return status;
    },
  /** Prints the text, then says nothing more, until the client gives up. */
  saysAndWaits:
    (text: string): Behaviour =>
    async ({ stdout, signal }) => {
      await write(stdout, Buffer.from(text));
      return untilAborted(signal);
    },
  /** Never answers. */
  hangs: (({ signal }) => untilAborted(signal)) satisfies Behaviour as Behaviour,
  /** A line that never ends. */
  endlessLine: (({ stdout, signal }) => flood(stdout, Buffer.alloc(32_768, 'x'), signal)) as Behaviour,
  /** The same line again and again. */
  repeats:
    (line: string): Behaviour =>
    ({ stdout, signal }) =>
      flood(stdout, Buffer.from(`${line}\n`.repeat(Math.ceil(32_768 / (line.length + 1)))), signal),
  /** Errors without an end. */
  endlessErrors: (({ stderr, signal }) => flood(stderr, Buffer.alloc(32_768, 'e'), signal)) as Behaviour,
  /** Listing of so many ids that nobody gave it; `word`: `ended`, `stale`. */
  madeUpIds: (count: number, word = '', clusterId = 'zzzzz'): string =>
    Array.from({ length: count }, (_, index) => {
      const uuid = `${clusterId}-dz642-${String(index).padStart(15, '0')}`;
      return word === '' ? `${uuid}\n` : `${uuid} ${word}\n`;
    }).join(''),
};

async function untilAborted(signal: AbortSignal): Promise<number> {
  if (!signal.aborted) await once(signal, 'abort');
  return 1;
}

async function flood(stream: Writable, piece: Buffer, signal: AbortSignal): Promise<number> {
  while (!signal.aborted) await write(stream, piece, signal);
  return 1;
}

/** Resolves once the stream takes more, or ended, or the client is gone. */
function write(stream: Writable, piece: Buffer, signal?: AbortSignal): Promise<void> {
  if (stream.write(piece)) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    stream.once('drain', done).once('close', done).once('error', done);
    signal?.addEventListener('abort', done);
  });
}
