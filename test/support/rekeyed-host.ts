import { systemClock } from '../../src/domain/clock.js';
import type { CreateSpec } from '../../src/drivers/driver.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import type { SimulatedHost, StartedMachine } from '../../src/drivers/simulated/simulated-host.js';
import { serveStub } from '../../src/drivers/simulated/ssh-host.js';
import { StubVm } from '../../src/drivers/simulated/stub-vm.js';
import { generateKeyPair, rawPublicKeyOf } from '../../src/ssh/keys.js';
import { fingerprintOf } from '../../src/ssh/host-key.js';
import { startSshServer, type SshServer } from '../../src/ssh/server.js';

interface Machine {
  vm: StubVm;
  server: SshServer;
  spec: CreateSpec;
  fingerprint: string;
  /** Since it has its present host key. */
  commands: string[];
}

/** Machines behind SSH servers on loopback whose host keys the provider does not know, and which may change. */
export class RekeyedHost implements SimulatedHost {
  readonly #machines = new Map<string, Machine>();

  async start(id: string, spec: CreateSpec): Promise<StartedMachine> {
    const vm = new StubVm({
      clock: systemClock,
      random: () => 0.5,
      knobs: { ...faultlessVm },
      initCommand: spec.initCommand,
      execute: (uuid) => ({ durationMs: 50, exitCode: 0, stdout: uuid, stderr: '' }),
    });
    const { server } = await this.#listen(id, vm, spec, 0);
    return { address: `127.0.0.1:${server.port}`, hostKey: undefined };
  }

  /** Comes back at the same address, with the same secret and another host key. */
  async changeKey(id: string): Promise<void> {
    const { vm, server, spec } = this.of(id);
    const { port } = server;
    await server.close();
    await this.#listen(id, vm, spec, port);
  }

  of(id: string): Readonly<Machine> {
    return this.#machines.get(id)!;
  }

  async stop(id: string): Promise<void> {
    const machine = this.#machines.get(id);
    machine?.vm.stop();
    await machine?.server.close();
  }

  interrupt(): void {}

  async close(): Promise<void> {
    for (const id of this.#machines.keys()) await this.stop(id);
  }

  async #listen(id: string, vm: StubVm, spec: CreateSpec, port: number): Promise<Machine> {
    const { privateKey } = generateKeyPair();
    const commands: string[] = [];
    const server = await startSshServer({
      host: '127.0.0.1',
      port,
      hostKey: privateKey,
      authorizedKeys: spec.publicKey === undefined ? [] : [spec.publicKey],
      run: (request) => {
        commands.push(request.command);
        return serveStub(vm, request);
      },
    });
    const machine = { vm, server, spec, commands, fingerprint: fingerprintOf(rawPublicKeyOf(privateKey)) };
    this.#machines.set(id, machine);
    return machine;
  }
}
