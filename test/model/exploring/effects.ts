import type { AnyActorRef, AnyStateMachine, PromiseActorLogic } from 'xstate';
import type { Build } from './world.js';

/**
 * Effects that begin when the machine says so and end when the test says so, all within one call stack: no promise, so
 * that thousands of paths run in a second and each step has one outcome.
 */
export class Effects {
  readonly #pending = new Map<string, AnyActorRef>();
  readonly #note: (record: string) => void;

  /** Told `> name` when an effect begins and `x name` when it is cut off. */
  constructor(note: (record: string) => void) {
    this.#note = note;
  }

  /** The effects under way, by name. */
  names(): string[] {
    return [...this.#pending.keys()];
  }

  has(name: string): boolean {
    return this.#pending.has(name);
  }

  begin(name: string, said: string, self: AnyActorRef): void {
    this.#pending.set(name, self);
    this.#note(`> ${name}${said}`);
  }

  cut(name: string, self: AnyActorRef): void {
    if (this.#pending.get(name) !== self) return;
    this.#pending.delete(name);
    this.#note(`x ${name}`);
  }

  succeed(name: string, output: unknown): void {
    this.#end(name).send({ type: 'model.done', output });
  }

  fail(name: string, error: unknown): void {
    this.#end(name).send({ type: 'model.error', error });
  }

  /** A message of a stream to its machine. */
  tell(name: string, event: { type: string }): void {
    const parent = this.#pending.get(name)?._parent;
    if (!parent) throw new Error(`"${name}" is not open`);
    parent.send(event);
  }

  #end(name: string): AnyActorRef {
    const self = this.#pending.get(name);
    if (!self) throw new Error(`"${name}" is not under way`);
    this.#pending.delete(name);
    return self;
  }
}

/** The world that is being driven; machines are built once and serve one world after another. */
export interface Stage {
  effects: Effects;
}

/** Logic in place of a promise or a callback; `describe` adds to the record what its input says. */
export function scripted<TInput>(
  stage: Stage,
  nameOf: (input: TInput) => string,
  describe: (input: TInput) => string = () => '',
): PromiseActorLogic<never, TInput> {
  interface State {
    input: TInput;
  }
  interface Message {
    type: string;
    output?: unknown;
    error?: unknown;
  }
  const logic = {
    config: undefined,
    getInitialSnapshot: (_: unknown, input: TInput) => ({
      status: 'active',
      input,
      output: undefined,
      error: undefined,
    }),
    start: ({ input }: State, { self }: { self: AnyActorRef }) =>
      stage.effects.begin(nameOf(input), describe(input), self),
    transition: (state: State, event: Message, { self }: { self: AnyActorRef }) => {
      if (event.type === 'model.done') return { ...state, status: 'done', output: event.output };
      if (event.type === 'model.error') return { ...state, status: 'error', error: event.error };
      if (event.type !== 'xstate.stop') return state;
      stage.effects.cut(nameOf(state.input), self);
      return { ...state, status: 'stopped' };
    },
    getPersistedSnapshot: (state: State) => state,
    restoreSnapshot: (state: unknown) => state,
  };
  return logic as unknown as PromiseActorLogic<never, TInput>;
}

/** The machine a world runs: the mutant or the real one, with scripted effects, watched when coverage is wanted. */
export function buildMachine<TMachine extends AnyStateMachine>(
  { mutant, coverage }: Build,
  name: string,
  machine: TMachine,
  actors: Record<string, unknown>,
  more: {
    labelOf?: (snapshot: { context: unknown }) => string;
    /** What the daemon puts around the machine. */
    wrap?: (machine: TMachine) => TMachine;
  } = {},
): TMachine {
  const chosen = mutant?.name === name ? mutant.machine : machine;
  const provided = chosen.provide({ actors: actors as never }) as unknown as TMachine;
  const wrapped = more.wrap?.(provided) ?? provided;
  return coverage ? coverage.watch(name, wrapped, more.labelOf) : wrapped;
}

/** Builds once for each way of building. */
export function oncePerBuild<T>(build: (how: Build) => T): (how: Build) => T {
  const built = new WeakMap<Build, T>();
  return (how) => {
    let result = built.get(how);
    if (result === undefined) built.set(how, (result = build(how)));
    return result;
  };
}

/** The real machines, not watched. */
export const plainBuild: Build = {};
