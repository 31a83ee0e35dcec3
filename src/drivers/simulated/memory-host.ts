import type { CreateSpec } from '../driver.js';
import type { VmKnobs } from './vm-behavior.js';
import type { SimulatedHost, StartedMachine } from './simulated-host.js';
import { StubVm, type StubVmOptions } from './stub-vm.js';

export interface HostOptions extends Omit<StubVmOptions, 'knobs' | 'initCommand' | 'onStarted' | 'onEnded'> {
  /** False: only the instance secret can tell a machine from another. */
  hasKnownHostKeys: boolean;
  /** Asked once for each machine. */
  knobsOf(id: string, spec: CreateSpec): VmKnobs;
  onStarted?(uuid: string, id: string): void;
  onEnded?(uuid: string, outcome: { exitCode: number; isCrash: boolean }, id: string): void;
}

/** Machines without sockets; a simulated executor finds them by their address. */
export class MemoryHost implements SimulatedHost {
  readonly #options: HostOptions;
  readonly #machines = new Map<string, { id: string; vm: StubVm; hostKey: Buffer }>();
  readonly #addresses = new Map<string, string>();
  #started = 0;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  start(id: string, spec: CreateSpec): Promise<StartedMachine> {
    const number = ++this.#started;
    const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}:22`;
    const { knobsOf, onStarted, onEnded } = this.#options;
    const vm = new StubVm({
      ...this.#options,
      knobs: knobsOf(id, spec),
      initCommand: spec.initCommand,
      onStarted: (uuid) => onStarted?.(uuid, id),
      onEnded: (uuid, outcome) => onEnded?.(uuid, outcome, id),
    });
    const hostKey = Buffer.from(`host key of ${id}`);
    this.#machines.set(address, { id, vm, hostKey });
    this.#addresses.set(id, address);
    return Promise.resolve({ address, hostKey: this.#options.hasKnownHostKeys ? hostKey : undefined });
  }

  stop(id: string): Promise<void> {
    const address = this.#addresses.get(id) ?? '';
    this.#machines.get(address)?.vm.stop();
    this.#machines.delete(address);
    this.#addresses.delete(id);
    return Promise.resolve();
  }

  interrupt(id: string, notice: string): void {
    this.of(id)?.interrupt(notice);
  }

  close(): Promise<void> {
    for (const { vm } of this.#machines.values()) vm.stop();
    this.#machines.clear();
    this.#addresses.clear();
    return Promise.resolve();
  }

  /** What answers at an address; `undefined`: nothing does. */
  at(address: string): { id: string; vm: StubVm; hostKey: Uint8Array } | undefined {
    return this.#machines.get(address);
  }

  /** The machine of an instance; `undefined`: it is not up yet, or gone. */
  of(id: string): StubVm | undefined {
    return this.#machines.get(this.#addresses.get(id) ?? '')?.vm;
  }
}
