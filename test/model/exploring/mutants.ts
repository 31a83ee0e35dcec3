import { createMachine, not, type AnyStateMachine } from 'xstate';

/** One change of a machine that a test has to notice. */
export interface Mutant {
  /** `worker: lifecycle.idle on container.assigned [0]: removed`. */
  name: string;
  /** The transition as coverage calls it. */
  transition: string;
  machine: AnyStateMachine;
  /** Else a guard was turned round. */
  isRemoval: boolean;
}

type Config = Record<string, unknown>;
type Transition = string | Config | undefined;

interface Place {
  /** Keys from the root of the configuration to the object the transitions hang on, and the key there. */
  path: readonly string[];
  key: string;
  transition: string;
  list: readonly Transition[];
}

/**
 * Each transition removed, and each guard turned round, one at a time. The mutants have the implementations of the
 * machine, and stop with an error where a loop would never end.
 */
export function mutantsOf(name: string, machine: AnyStateMachine): Mutant[] {
  const config = machine.config as unknown as Config;
  return placesIn(config, name, [], []).flatMap((place) =>
    place.list.flatMap((transition, index) => {
      const others = place.list.filter((_, each) => each !== index);
      const removed = build(machine, place, others);
      const key = `${place.transition} [${index}]`;
      const mutants: Mutant[] = [
        { name: `${key}: removed`, transition: key, machine: removed, isRemoval: true },
      ];
      if (typeof transition === 'object' && transition.guard) {
        const turned = { ...transition, guard: not(transition.guard as never) };
        const list = place.list.map((each, other) => (other === index ? turned : each));
        mutants.push({
          name: `${key}: guard turned round`,
          transition: key,
          machine: build(machine, place, list),
          isRemoval: false,
        });
      }
      return mutants;
    }),
  );
}

function build(machine: AnyStateMachine, { path, key }: Place, list: readonly Transition[]): AnyStateMachine {
  const config = changed(machine.config, [...path, key], list);
  const bounded = { ...config, options: { maxIterations: 200 } };
  return createMachine(bounded, machine.implementations as never);
}

/** A copy with another value at the end of the path; nothing left there when the list is empty. */
function changed(
  config: Config,
  [first = '', ...rest]: readonly string[],
  list: readonly Transition[],
): Config {
  if (rest.length > 0) return { ...config, [first]: changed(config[first] as Config, rest, list) };
  const { [first]: _gone, ...others } = config;
  return list.length === 0 ? others : { ...others, [first]: list };
}

function placesIn(config: Config, name: string, path: readonly string[], states: readonly string[]): Place[] {
  const at = `${name}: ${states.join('.') || '(root)'} on `;
  const listed = (value: unknown): Transition[] => [value].flat() as Transition[];
  const of = (holder: string, describe: (key: string) => string): Place[] =>
    Object.entries((config[holder] ?? {}) as Config).map(([key, value]) => ({
      path: [...path, holder],
      key,
      transition: at + describe(key),
      list: listed(value),
    }));
  const always = config.always
    ? [{ path, key: 'always', transition: `${at}always`, list: listed(config.always) }]
    : [];
  const invoke = config.invoke as Config | undefined;
  const answers = (['onDone', 'onError'] as const)
    .filter((key) => invoke?.[key])
    .map((key) => ({
      path: [...path, 'invoke'],
      key,
      transition: `${at}${key === 'onDone' ? 'done' : 'error'} ${String(invoke!.id)}`,
      list: listed(invoke![key]),
    }));
  const inner = Object.entries((config.states ?? {}) as Record<string, Config>).flatMap(([key, state]) =>
    placesIn(state, name, [...path, 'states', key], [...states, key]),
  );
  return [
    ...of('on', (key) => key.replace(/^xstate\.(done|error)\.actor\./, '$1 ')),
    ...of('after', (key) => `after ${key}`),
    ...always,
    ...answers,
    ...inner,
  ];
}
