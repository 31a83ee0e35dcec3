import { generateKeyPair, rawPublicKeyOf } from '../../ssh/keys.js';
import { startSshServer, type SshCommandRequest, type SshServer } from '../../ssh/server.js';
import { DriverError, type CreateSpec } from '../driver.js';
import type { HostOptions } from './memory-host.js';
import type { SimulatedHost, StartedMachine } from './simulated-host.js';
import { StubVm } from './stub-vm.js';

interface Machine {
  vm: StubVm;
  server: SshServer;
}

/** Pretended machines behind real SSH servers on loopback, each with a host key and a port of its own. */
export class SshHost implements SimulatedHost {
  readonly #options: HostOptions;
  readonly #machines = new Map<string, Promise<Machine>>();
  #isClosed = false;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  async start(id: string, spec: CreateSpec): Promise<StartedMachine> {
    if (this.#isClosed) throw new DriverError('unavailable', 'the simulated host was closed');
    const { privateKey } = generateKeyPair();
    const starting = this.#start(id, spec, privateKey);
    this.#machines.set(id, starting);
    const { server } = await starting;
    const hostKey = this.#options.hasKnownHostKeys ? rawPublicKeyOf(privateKey) : undefined;
    return { address: `127.0.0.1:${server.port}`, hostKey };
  }

  async stop(id: string): Promise<void> {
    const starting = this.#machines.get(id);
    this.#machines.delete(id);
    if (!starting) return;
    const { vm, server } = await starting;
    vm.stop();
    await server.close();
  }

  interrupt(id: string, notice: string): void {
    // A machine that did not start has no runner that could tell.
    void this.#machines.get(id)?.then(
      ({ vm }) => vm.interrupt(notice),
      () => {},
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#machines.keys()].map((id) => this.stop(id)));
  }

  async #start(id: string, spec: CreateSpec, hostKey: string): Promise<Machine> {
    const { knobsOf, onStarted, onEnded } = this.#options;
    const vm = new StubVm({
      ...this.#options,
      knobs: knobsOf(id, spec),
      initCommand: spec.initCommand,
      onStarted: (uuid) => onStarted?.(uuid, id),
      onEnded: (uuid, outcome) => onEnded?.(uuid, outcome, id),
    });
    const server = await startSshServer({
      host: '127.0.0.1',
      port: 0,
      hostKey,
      authorizedKeys: spec.publicKey === undefined ? [] : [spec.publicKey],
      run: (request) => serveStub(vm, request),
    });
    return { vm, server };
  }
}

/** Answers as the pretended machine does; resolves to the exit status. */
export async function serveStub(vm: StubVm, request: SshCommandRequest): Promise<number> {
  const { command, stdin, stdout, stderr, signal } = request;
  if (vm.isWatch(command)) {
    return new Promise((resolve) => {
      const end = vm.watch(command, {
        onLine: (line) => void stdout.write(`${line}\n`),
        onEnd: resolve,
      });
      const give = (): void => (end(), resolve(1));
      if (signal.aborted) give();
      signal.addEventListener('abort', give, { once: true });
    });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(chunk as Buffer);
  const answer = await vm.interpret(command, Buffer.concat(chunks));
  if (!signal.aborted) {
    stderr.write(answer.stderr);
    stdout.write(answer.stdout);
  }
  return answer.exitCode;
}
