import type { CreateSpec } from '../driver.js';
import type { VmKnobs } from './knobs.js';
import type { SimulatedHost, StartedMachine } from './simulated-host.js';
import { StubVm, type StubVmOptions } from './stub-vm.js';

export interface HostOptions extends Omit<StubVmOptions, 'knobs' | 'initCommand'> {
  /** False: only the instance secret can tell a machine from another. */
  hasKnownHostKeys: boolean;
  /** Asked once for each machine. */
  knobsOf(id: string, spec: CreateSpec): VmKnobs;
}

/** Machines without sockets; a simulated executor finds them by their address. */
export class MemoryHost implements SimulatedHost {
  readonly #options: HostOptions;
  readonly #machines = new Map<string, { id: string; vm: StubVm; hostKey: Buffer }>();
  #started = 0;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  start(id: string, spec: CreateSpec): Promise<StartedMachine> {
    const number = ++this.#started;
    const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:22`;
    const vm = new StubVm({
      ...this.#options,
      knobs: this.#options.knobsOf(id, spec),
      initCommand: spec.initCommand,
    });
    const hostKey = Buffer.from(`host key of ${id}`);
    this.#machines.set(address, { id, vm, hostKey });
    return Promise.resolve({ address, hostKey: this.#options.hasKnownHostKeys ? hostKey : undefined });
  }

  stop(id: string): Promise<void> {
    for (const [address, machine] of this.#machines) {
      if (machine.id !== id) continue;
      machine.vm.stop();
      this.#machines.delete(address);
    }
    return Promise.resolve();
  }

  interrupt(id: string, notice: string): void {
    for (const machine of this.#machines.values()) if (machine.id === id) machine.vm.interrupt(notice);
  }

  close(): Promise<void> {
    for (const { vm } of this.#machines.values()) vm.stop();
    this.#machines.clear();
    return Promise.resolve();
  }

  /** What answers at an address; `undefined`: nothing does. */
  at(address: string): { vm: StubVm; hostKey: Uint8Array } | undefined {
    return this.#machines.get(address);
  }
}
