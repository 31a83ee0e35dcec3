import { systemClock } from '../../src/domain/clock.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import { serveStub } from '../../src/drivers/simulated/ssh-host.js';
import { parseStubCommand } from '../../src/drivers/simulated/stub-command.js';
import { StubVm } from '../../src/drivers/simulated/stub-vm.js';
import type { SshCommandRequest } from '../../src/ssh/server.js';
import type { SeededRandom } from '../../src/simulation/seeded-random.js';
import { LyingServer, type Behaviour, type CommandKind } from '../support/lying-server.js';
import type { LiarPlan } from './liar-plan.js';
import { forgedResult, whileConnected, type Lie, type LiarView } from './lies.js';

export interface LiarOptions {
  plan: LiarPlan;
  random: SeededRandom;
  clusterId: string;
  authorizedKey: string;
  initCommand: string;
  /** How long what was given to it runs. */
  runMs: () => number;
  /** It told a lie; `isBreach`: one that it is quarantined for. */
  onLie(name: string, isBreach: boolean): void;
}

const kinds: readonly CommandKind[] = [
  ...(['secret', 'other', 'checksum', 'install', 'list', 'watch'] as const),
  ...(['start', 'collect', 'discard', 'kill', 'tail'] as const),
];

/** A machine that proves who it is, and then says what its plan says. */
export class Liar {
  readonly #options: LiarOptions;
  readonly #vm: StubVm;
  readonly #given = new Set<string>();
  readonly #startedAt = Date.now();
  readonly #timers = new Set<NodeJS.Timeout>();
  #server: LyingServer | undefined;
  #others: readonly string[] = [];
  #drawn: Lie | undefined;
  #isInService = false;
  #isStopped = false;

  private constructor(options: LiarOptions) {
    this.#options = options;
    const { random, initCommand, runMs } = options;
    this.#vm = new StubVm({
      clock: systemClock,
      random: () => random.next(),
      knobs: faultlessVm,
      initCommand,
      execute: (uuid) => {
        this.#given.add(uuid);
        return { durationMs: runMs(), exitCode: 0, stdout: `ran ${uuid}`, stderr: '' };
      },
    });
  }

  static async start(options: LiarOptions): Promise<Liar> {
    const liar = new Liar(options);
    const { authorizedKey } = options;
    liar.#server = await LyingServer.start({
      authorizedKey,
      honest: (request: SshCommandRequest) => serveStub(liar.#vm, request),
      // Asked first, and in the same turn.
      isFramed: (kind) => !(liar.#drawn = liar.#draw(kind))?.isUnframed,
    });
    for (const kind of kinds) liar.#server.lie(kind, liar.#behaviour());
    liar.#plague();
    return liar;
  }

  get address(): string {
    return this.#server!.address;
  }

  /** Containers that run elsewhere: what it may make use of. */
  hear(others: readonly string[]): void {
    this.#others = others;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#vm.stop();
    await this.#server?.close();
  }

  #behaviour(): Behaviour {
    return (request, honest) => {
      const drawn = this.#drawn;
      this.#drawn = undefined;
      if (drawn) return drawn.tell(this.#view())(request, honest);
      const command = parseStubCommand(request.command);
      const isClaimed = command.kind === 'collect' && !this.#given.has(command.uuid);
      return isClaimed ? forgedResult(request, honest) : honest();
    };
  }

  /** The lie to tell on this command, which counts as told then. */
  #draw(kind: CommandKind): Lie | undefined {
    if (kind === 'start' || kind === 'watch') this.#inService();
    // A watch is asked for once: an honest one would last.
    if (this.#isHonest && kind !== 'watch') return undefined;
    const { plan, random, onLie } = this.#options;
    const found = plan.lies.find(({ lie, share }) => lie.on === kind && random.chance(share))?.lie;
    if (!found || (found.needsOthers && this.#others.length === 0)) return undefined;
    onLie(found.name, found.isBreach);
    return found;
  }

  get #isHonest(): boolean {
    return Date.now() - this.#startedAt < this.#options.plan.honestMs;
  }

  #view(): LiarView {
    const { random, clusterId } = this.#options;
    const others = (): readonly string[] => this.#others;
    return {
      random,
      clusterId,
      given: this.#given,
      get others() {
        return others();
      },
    };
  }

  #plague(): void {
    const { plan, random, onLie } = this.#options;
    const { hangUpMs, honestMs } = plan;
    const hangUp = async (): Promise<void> => {
      onLie(whileConnected.hangsUp, false);
      await this.#server!.hangUp();
      this.#later(random.exponential(hangUpMs), hangUp);
    };
    if (hangUpMs > 0) this.#later(honestMs + random.exponential(hangUpMs), hangUp);
  }

  /** Its key is pinned once it is in service: another one before is no lie. */
  #inService(): void {
    const { plan, random, onLie } = this.#options;
    if (!plan.changesHostKey || this.#isInService) return;
    this.#isInService = true;
    this.#later(plan.honestMs + random.between(3_000, 6_000), async () => {
      await this.#server!.changeHostKey();
      onLie(whileConnected.newHostKey, true);
    });
  }

  #later(delayMs: number, act: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#isStopped) void act().catch(() => {});
    }, delayMs);
    this.#timers.add(timer);
  }
}
