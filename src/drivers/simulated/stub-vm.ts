import { createHash } from 'node:crypto';
import type { Clock } from '../../domain/clock.js';
import { isContainerUuid } from '../../domain/ids.js';
import type { VmKnobs } from './vm-behavior.js';
import { parseStubCommand, secretOf, type StubCommand } from './stub-command.js';
import { StubContainers, type StubExecution } from './stub-containers.js';

export interface StubVmOptions {
  clock: Clock;
  random: () => number;
  knobs: Readonly<VmKnobs>;
  /** As given at creation; the instance secret in it is kept as its file would be. */
  initCommand: string;
  execute(uuid: string, document: string): StubExecution;
  onStarted?(uuid: string): void;
  onEnded?(uuid: string, outcome: { exitCode: number; isCrash: boolean }): void;
  /** A command that is neither of the runner, nor about it, nor the secret: the boot probe. Default: it succeeds. */
  other?(command: string): StubAnswer;
}

export interface StubAnswer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** So often a watcher hears a word, whatever happens; without it a watch counts as broken. */
const beatMs = 15_000;

interface Watcher {
  onLine(line: string): void;
  onEnd(exitCode: number): void;
}

const ok = (stdout = ''): StubAnswer => ({ exitCode: 0, stdout, stderr: '' });
const failed = (exitCode: number, stderr: string): StubAnswer => ({
  exitCode,
  stdout: '',
  stderr: `${stderr}\n`,
});

/** A machine that only understands what the pool sends (D-21, D-25): no process, no file, no socket. */
export class StubVm {
  readonly #options: StubVmOptions;
  readonly #startedAt: number;
  readonly #containers: StubContainers;
  readonly #files = new Map<string, string>();
  readonly #watchers = new Set<Watcher>();
  #notice = '';
  #beat: unknown;
  #isGone = false;

  constructor(options: StubVmOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#containers = new StubContainers({ ...options, tell: (line) => this.#tell(line) });
  }

  /** Runs one command to its end. Never rejects. `--watch` only fails here; see {@link watch}. */
  async interpret(command: string, stdin: Uint8Array | string): Promise<StubAnswer> {
    const refusal = this.#refusal(command);
    if (refusal) return refusal;
    const parsed = parseStubCommand(command);
    const answer = this.#answer(parsed, command, stdin);
    if (parsed.kind === 'start' && this.#options.knobs.detachDelayMs > 0) {
      await new Promise<void>(
        (resolve) => void this.#options.clock.setTimeout(resolve, this.#options.knobs.detachDelayMs),
      );
    }
    return this.#isGone ? failed(1, 'the machine is gone') : answer;
  }

  /** Whether a list of what runs would show exactly these containers, alive, and nothing else. */
  wouldList(uuids: readonly string[]): boolean {
    const { reportBrokenAfterMs, brokenAfterMs, runnerMissing } = this.#options.knobs;
    if (this.#isGone || this.#notice !== '' || runnerMissing) return false;
    if (reportBrokenAfterMs !== undefined || brokenAfterMs !== undefined) return false;
    const listing = this.#containers.listing().filter((line) => !line.startsWith('attempt '));
    return listing.length === uuids.length && listing.every((line) => uuids.includes(line));
  }

  isWatch(command: string): boolean {
    return parseStubCommand(command).kind === 'watch';
  }

  /** Follows `--watch`: what is there first, then what happens. Returns what ends it from outside. */
  watch(command: string, watcher: Watcher): () => void {
    const refusal = this.#refusal(command);
    if (refusal || !this.#options.knobs.keepsResults) {
      watcher.onEnd(refusal?.exitCode ?? 2);
      return () => {};
    }
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1 && this.#options.knobs.beats) this.#startBeat();
    for (const line of ['attached', ...this.#containers.present()]) watcher.onLine(line);
    if (this.#notice !== '') watcher.onLine(`interruption ${this.#notice}`);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#options.clock.clearTimeout(this.#beat);
    };
  }

  interrupt(notice: string): void {
    this.#notice = notice;
    this.#tell(`interruption ${notice}`);
  }

  /** Ends containers and watchers; every later command fails. */
  stop(): void {
    this.#isGone = true;
    this.#options.clock.clearTimeout(this.#beat);
    this.#containers.clear();
    for (const watcher of this.#watchers) watcher.onEnd(1);
    this.#watchers.clear();
  }

  #refusal(command: string): StubAnswer | undefined {
    const { clock, knobs } = this.#options;
    const ageMs = clock.now() - this.#startedAt;
    if (this.#isGone) return failed(1, 'the machine is gone');
    if (ageMs < knobs.bootMs) return failed(1, 'the machine is booting');
    if (ageMs >= (knobs.brokenAfterMs ?? Infinity)) return failed(2, 'cannot fork');
    if (knobs.runnerMissing && command.includes('crunch-run')) return failed(1, 'crunch-run: not found');
    return undefined;
  }

  #answer(command: StubCommand, text: string, stdin: Uint8Array | string): StubAnswer {
    switch (command.kind) {
      case 'list':
        return ok(this.#listing());
      case 'secret': {
        const secret = secretOf(this.#options.initCommand);
        return secret === undefined ? failed(1, 'no such file') : ok(secret);
      }
      case 'start':
        return this.#start(command, stdin);
      case 'kill':
        return this.#containers.kill(command.uuid) ? ok() : failed(1, `${command.uuid} is still alive`);
      case 'collect': {
        const result = this.#containers.collect(command.uuid);
        if (result === 'unknown') return failed(4, 'not known here');
        return result === 'running' ? failed(3, 'still running') : ok(result);
      }
      case 'discard':
        return this.#containers.discard(command.uuid, command.attempt) ? ok() : failed(3, 'still running');
      case 'tail': {
        const stdout = this.#containers.stdoutOf(command.uuid);
        return stdout === undefined ? failed(4, 'not known here') : ok(stdout);
      }
      case 'checksum': {
        const md5 = this.#files.get(command.path);
        return md5 === undefined ? failed(1, 'no such file') : ok(`${md5}  ${command.path}\n`);
      }
      case 'install':
        return this.#install(command.path, command.md5, stdin);
      case 'watch':
        return failed(1, 'a watch is not a command that ends');
      case 'other':
        return this.#options.other?.(text) ?? ok();
    }
  }

  #listing(): string {
    const { clock, knobs } = this.#options;
    const isBroken = clock.now() - this.#startedAt >= (knobs.reportBrokenAfterMs ?? Infinity);
    const lines = [
      ...(isBroken ? ['broken'] : []),
      ...(this.#notice === '' ? [] : [`interruption ${this.#notice}`]),
      ...this.#containers.listing(),
    ];
    return lines.map((line) => `${line}\n`).join('');
  }

  #start({ uuid, attempt }: { uuid: string; attempt?: number }, stdin: Uint8Array | string): StubAnswer {
    const document = Buffer.from(stdin).toString('utf8');
    if (!isContainerUuid(uuid)) return failed(2, `"${uuid}" is no container id`);
    if (!isJsonObject(document)) return failed(1, 'the configuration on standard input cannot be read');
    if (!this.#containers.start(uuid, document, attempt))
      return failed(1, `${uuid} is already supervised here`);
    return ok(`${JSON.stringify({ UUID: uuid, PID: 1 })}\n`);
  }

  #install(path: string, md5: string, stdin: Uint8Array | string): StubAnswer {
    if (createHash('md5').update(Buffer.from(stdin)).digest('hex') !== md5) {
      return failed(1, 'the copy is damaged');
    }
    this.#files.set(path, md5);
    return ok(`${md5} 0\n`);
  }

  #startBeat(): void {
    this.#options.clock.clearTimeout(this.#beat);
    this.#beat = this.#options.clock.setTimeout(() => {
      this.#startBeat();
      this.#tell('alive');
    }, beatMs);
  }

  #tell(line: string): void {
    for (const watcher of this.#watchers) watcher.onLine(line);
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}
