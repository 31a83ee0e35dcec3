import type { Clock } from '../../src/domain/clock.js';
import { ExecutorError, type CommandResult, type ExecutorErrorCode } from '../../src/ssh/executor.js';

/** What a command does. Nothing given: it succeeds silently and at once. */
export interface Reply {
  stdout?: string;
  stderr?: string;
  exitCode?: number;
  /** Fails with this instead. */
  error?: ExecutorError;
  /** On the clock of the script. */
  afterMs?: number;
}

export type Answer = Reply | ((call: Call) => Reply | Promise<Reply>);

/** One command, as it was sent. */
export interface Call {
  readonly command: string;
  readonly stdin: string;
  readonly env: Readonly<Record<string, string>>;
  /** `undefined` for a channel that goes on. */
  readonly timeoutMs: number | undefined;
  readonly at: number;
  endedAt: number | undefined;
  /** Why it failed; `undefined` while it runs and when it succeeded. */
  failure: ExecutorErrorCode | undefined;
}

/** Commands that wait until the test lets them go. */
export class Hold {
  readonly calls: Call[] = [];
  readonly #released: Promise<Reply>;
  #release!: (reply: Reply) => void;

  constructor() {
    this.#released = new Promise((resolve) => (this.#release = resolve));
  }

  /** Answers all that wait, and all that come later, in the same way. */
  release(reply: Reply = {}): void {
    this.#release(reply);
  }

  readonly answer = (call: Call): Promise<Reply> => {
    this.calls.push(call);
    return this.#released;
  };
}

/** One channel that goes on: the test speaks for the remote program. */
export class ScriptedChannel {
  readonly command: string;
  #lines: string[] = [];
  #ending: { error?: ExecutorError } | undefined;
  #wake: () => void = () => {};
  isClosed = false;

  constructor(command: string) {
    this.command = command;
  }

  say(...lines: string[]): void {
    this.#lines.push(...lines);
    this.#wake();
  }

  /** The program ends: with status 0, or as the error says. */
  end(error?: ExecutorError): void {
    this.#ending ??= error ? { error } : {};
    this.#wake();
  }

  close(): void {
    this.isClosed = true;
    this.end();
  }

  async *lines(): AsyncGenerator<string> {
    for (;;) {
      const line = this.isClosed ? undefined : this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#ending?.error && !this.isClosed) throw this.#ending.error;
      else if (this.#ending) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

interface Rule {
  pattern: RegExp;
  answer: Answer;
  usesLeft: number;
}

/**
 * A pretended machine: answers commands by rules and keeps a record of them. Rules for one use come first, in the order
 * they were made; then the youngest of the others that fits. A command no rule fits fails with status 127.
 */
export class ScriptedHost {
  readonly calls: Call[] = [];
  readonly channels: ScriptedChannel[] = [];
  /** Two different texts are two different keys. */
  hostKey = 'a host key';
  inFlight = 0;
  mostInFlight = 0;
  readonly #clock: Clock;
  readonly #rules: Rule[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on. */
  on(pattern: RegExp, answer: Answer = {}): this {
    this.#rules.unshift({ pattern, answer, usesLeft: Infinity });
    return this;
  }

  /** For one command; several queue up. */
  once(pattern: RegExp, answer: Answer = {}): this {
    this.#rules.push({ pattern, answer, usesLeft: 1 });
    return this;
  }

  /** Commands that fit wait from now on. */
  hold(pattern: RegExp): Hold {
    const hold = new Hold();
    this.on(pattern, hold.answer);
    return hold;
  }

  /** Every command so far, in the order they were sent. */
  get commands(): string[] {
    return this.calls.map(({ command }) => command);
  }

  /** The commands that fit. */
  sent(pattern: RegExp): Call[] {
    return this.calls.filter(({ command }) => pattern.test(command));
  }

  /** The only command that fits; throws when there is another number of them. */
  only(pattern: RegExp): Call {
    const calls = this.sent(pattern);
    if (calls.length !== 1)
      throw new Error(`${calls.length} commands fit ${pattern}: ${this.commands.join(' | ')}`);
    return calls[0]!;
  }

  /** Carries out a command; rejects with {@link ExecutorError} as the executor would. */
  async perform(call: Call): Promise<CommandResult> {
    this.calls.push(call);
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    try {
      return await this.#reply(call);
    } finally {
      this.inFlight--;
    }
  }

  /** Opens a channel the test drives, or one that does as a rule for its command says. */
  channel(call: Call): ScriptedChannel {
    this.calls.push(call);
    const channel = new ScriptedChannel(call.command);
    this.channels.push(channel);
    if (this.#rules.some((rule) => fits(rule, call))) {
      this.#reply(call).then(
        ({ stdout }) => {
          channel.say(...stdout.split('\n').filter((line) => line !== ''));
          channel.end();
        },
        (error: unknown) => channel.end(error as ExecutorError),
      );
    }
    return channel;
  }

  async #reply(call: Call): Promise<CommandResult> {
    const reply = await this.#answerTo(call);
    if (reply.afterMs)
      await new Promise<void>((resolve) => void this.#clock.setTimeout(resolve, reply.afterMs!));
    const { stdout = '', stderr = '', exitCode = 0, error } = reply;
    if (error) throw error;
    if (exitCode === 0) return { stdout, stderr };
    const said = stderr === '' ? '' : `: ${stderr.trim()}`;
    throw new ExecutorError('exit', `the command exited with status ${exitCode}${said}`, {
      stdout,
      stderr,
      exitCode,
    });
  }

  #answerTo(call: Call): Reply | Promise<Reply> {
    const rule =
      this.#rules.find((each) => each.usesLeft === 1 && fits(each, call)) ??
      this.#rules.find((each) => fits(each, call));
    if (!rule) return { exitCode: 127, stderr: `sh: no rule for ${call.command}\n` };
    rule.usesLeft--;
    return typeof rule.answer === 'function' ? rule.answer(call) : rule.answer;
  }
}

function fits({ pattern, usesLeft }: Rule, { command }: Call): boolean {
  return usesLeft > 0 && pattern.test(command);
}
