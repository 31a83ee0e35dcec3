import type { AnyStateMachine } from 'xstate';

/** The guards asked since a step began. Steps may begin within steps: one worker's step can wake another. */
export class GuardTrace {
  readonly #names: string[] = [];
  readonly #results: boolean[] = [];
  #depth = 0;

  /** Returns what `since` and `end` want. */
  begin(): number {
    this.#depth++;
    return this.#names.length;
  }

  note(name: string, result: boolean): boolean {
    if (this.#depth > 0) {
      this.#names.push(name);
      this.#results.push(result);
    }
    return result;
  }

  /** By name, in the order of the alphabet: in which order they are asked depends on what XState remembers. */
  since(begun: number): Record<string, boolean> {
    const guards: Record<string, boolean> = {};
    for (const name of this.#names.slice(begun).sort()) guards[name] = false;
    for (let index = begun; index < this.#names.length; index++) {
      if (this.#results[index]) guards[this.#names[index]!] = true;
    }
    return guards;
  }

  end(begun: number): void {
    this.#depth--;
    this.#names.length = begun;
    this.#results.length = begun;
  }
}

type Guard = ((args: unknown, params: unknown) => boolean) & {
  /** Guards made of others have this instead. */
  check?(snapshot: unknown, args: unknown, self: unknown): boolean;
};

/** The machine's guards, each telling the trace how it came out. */
export function tracedGuards(machine: AnyStateMachine, trace: GuardTrace): Record<string, unknown> {
  const guards = machine.implementations.guards as unknown as Record<string, Guard>;
  return Object.fromEntries(
    Object.entries(guards).map(([name, guard]) => [name, traced(name, guard, trace)]),
  );
}

function traced(name: string, guard: Guard, trace: GuardTrace): unknown {
  if (!guard.check) return (args: unknown, params: unknown) => trace.note(name, guard(args, params));
  const wrapper = Object.assign(() => false, guard);
  wrapper.check = (snapshot, args) => trace.note(name, guard.check!(snapshot, args, guard));
  return wrapper;
}
