import { systemClock } from '../../src/domain/clock.js';
import type { CreateSpec } from '../../src/drivers/driver.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import type { SimulatedHost, StartedMachine } from '../../src/drivers/simulated/simulated-host.js';
import { serveStub, SshHost } from '../../src/drivers/simulated/ssh-host.js';
import { StubVm } from '../../src/drivers/simulated/stub-vm.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import type { SshCommandRequest } from '../../src/ssh/server.js';
import { managementToken, startInProcess, type InProcess } from './in-process.js';
import { LyingServer } from './lying-server.js';

export interface LyingFleetOptions {
  /** How long containers run. */
  runMs?: number;
  /** Settings of the section `pool`, and further sections. */
  pool?: string;
  probeInterval?: string;
  more?: string;
}

interface LyingMachine {
  server: LyingServer;
  vm: StubVm;
}

/** Provider type of the machines that may lie. */
const liarType = 'liar';

/** Machines behind real SSH servers: those of the type `liar` answer as a {@link LyingServer} does, all others honestly. */
class MixedMachines implements SimulatedHost {
  readonly liars = new Map<string, LyingMachine>();
  /** When each container ended by itself, on whichever machine. */
  readonly endedAt = new Map<string, number>();
  readonly #runMs: number;
  readonly #honest: SshHost;

  constructor(runMs: number) {
    this.#runMs = runMs;
    this.#honest = new SshHost({ ...this.#machine(), hasKnownHostKeys: true, knobsOf: () => faultlessVm });
  }

  async start(id: string, spec: CreateSpec): Promise<StartedMachine> {
    if (spec.instanceType.providerType !== liarType) return this.#honest.start(id, spec);
    const { initCommand, publicKey = '' } = spec;
    const vm = new StubVm({ ...this.#machine(), knobs: faultlessVm, initCommand });
    const server = await LyingServer.start({
      authorizedKey: publicKey,
      honest: (request: SshCommandRequest) => serveStub(vm, request),
    });
    this.liars.set(id, { server, vm });
    return { address: server.address, hostKey: server.hostKey };
  }

  async stop(id: string): Promise<void> {
    const liar = this.liars.get(id);
    if (!liar) return this.#honest.stop(id);
    this.liars.delete(id);
    liar.vm.stop();
    await liar.server.close();
  }

  interrupt(id: string, notice: string): void {
    this.#honest.interrupt(id, notice);
  }

  async close(): Promise<void> {
    await Promise.all([...this.liars.keys()].map((id) => this.stop(id)));
    await this.#honest.close();
  }

  #machine() {
    return {
      clock: systemClock,
      random: Math.random,
      execute: (uuid: string) => ({ durationMs: this.#runMs, exitCode: 0, stdout: uuid, stderr: '' }),
      onEnded: (uuid: string) => void this.endedAt.set(uuid, Date.now()),
    };
  }
}

export interface ContainerBody {
  uuid: string;
  state: string;
  instance: string | null;
}

/** The real daemon over SSH with honest instances (2 vCPUs) and such that lie on order (64 vCPUs). */
export class LyingFleet {
  readonly #machines: MixedMachines;
  readonly #cloud: SimulatedCloud;
  readonly #configuration: string;
  #app: InProcess | undefined;

  private constructor(machines: MixedMachines, configuration: string) {
    this.#machines = machines;
    this.#configuration = configuration;
    this.#cloud = new SimulatedCloud({
      host: machines,
      clock: systemClock,
      random: Math.random,
      onFault: () => {},
    });
  }

  static async start({
    runMs = 100,
    pool = '',
    more = '',
    probeInterval = '1s',
  }: LyingFleetOptions = {}): Promise<LyingFleet> {
    const configuration = `managementToken: ${managementToken}
systemRootToken: the-same-for-all
dispatchPrivateKey: ${JSON.stringify(generateKeyPair().privateKey)}
driver: simulated
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 4GiB, price: 0.1 }
  big: { providerType: ${liarType}, vcpus: 64, ram: 256GiB, includedScratch: 64GiB, price: 10 }
pool: { bootProbeCommand: 'true', probeInterval: ${probeInterval}, syncInterval: 1s, timeoutIdle: 30m, maxCloudOpsPerSecond: 0, ${pool} }
${more}`;
    const fleet = new LyingFleet(new MixedMachines(runMs), configuration);
    await fleet.startDaemon();
    return fleet;
  }

  get app(): InProcess {
    return this.#app!;
  }

  /** Starts the first daemon, or the next one of the same machines; its store is the same one where the settings name it. */
  async startDaemon(): Promise<void> {
    this.#app = await startInProcess(this.#configuration, { driver: new SimulatedDriver(this.#cloud) });
  }

  /** Servers of the machines that lie, in their order. */
  get liars(): [id: string, server: LyingServer][] {
    return [...this.#machines.liars].map(([id, { server }]) => [id, server]);
  }

  endedAt(uuid: string): number | undefined {
    return this.#machines.endedAt.get(uuid);
  }

  async submit(vcpus: number): Promise<string> {
    const reply = await this.app.ask('/v1/containers', {
      body: { containers: [{ command: ['true'], vcpus, ram: '16MiB' }] },
    });
    if (reply.status >= 300) throw new Error(`${reply.status} ${reply.text}`);
    return (reply.json as { items: ContainerBody[] }).items[0]!.uuid;
  }

  async container(uuid: string): Promise<ContainerBody> {
    return (await this.app.ask(`/v1/containers/${uuid}`)).json as ContainerBody;
  }

  async isComplete(uuid: string): Promise<boolean> {
    return (await this.container(uuid)).state === 'Complete';
  }

  async stop(): Promise<void> {
    await this.app.stop();
    await this.#cloud.close();
    await this.#machines.close();
  }
}
