import type { CreateSpec } from '../driver.js';

/** What a host tells of a machine it started. */
export interface StartedMachine {
  /** With `:port` where that is not the default one. */
  address: string;
  /** As an SSH client sees it; `undefined`: the provider does not know it, so the instance secret decides. */
  hostKey: Uint8Array | undefined;
}

/** Where simulated instances run: in memory, or behind real SSH servers. */
export interface SimulatedHost {
  start(id: string, spec: CreateSpec): Promise<StartedMachine>;
  /** Resolves when nothing of it runs any more; what is not there is stopped already. */
  stop(id: string): Promise<void>;
  /** The provider announces to take the machine away. */
  interrupt(id: string, notice: string): void;
  /** Frees sockets and timers of all machines. */
  close(): Promise<void>;
}
