/** Which workers the inspector shows. */
export type InspectChoice =
  { kind: 'all' } | { kind: 'instance'; id: string } | { kind: 'type'; name: string };

/** The inspector option is invalid; `remedy` names valid ones. */
export class InspectError extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'InspectError';
    this.remedy = remedy;
  }
}

const usage =
  'Give --inspect for all instances, --inspect=ID for one, or --inspect=type=NAME for those of a type.';

/**
 * Parses `--inspect`: `''` for all, the id of an instance (also as `id=ID`), or `type=NAME`. An id need not exist yet; a
 * type must be configured. Throws {@link InspectError}.
 */
export function parseInspectChoice(text: string, typeNames: readonly string[]): InspectChoice {
  if (text === '') return { kind: 'all' };
  const [, word, value = ''] = /^(type|id)=(.*)$/.exec(text) ?? [];
  if (word === 'type') {
    if (typeNames.includes(value)) return { kind: 'type', name: value };
    const known = typeNames.join(', ') || 'none';
    throw new InspectError(
      `--inspect: there is no instance type "${value}"`,
      `Configured are: ${known}. ${usage}`,
    );
  }
  const id = word === 'id' ? value : text;
  if (id === '' || /\s/.test(id)) throw new InspectError(`--inspect: "${text}" names no instance`, usage);
  if (word === undefined && /^[a-z]+=/i.test(id)) {
    throw new InspectError(
      `--inspect: instances cannot be chosen by "${id.slice(0, id.indexOf('='))}"`,
      usage,
    );
  }
  return { kind: 'instance', id };
}

/** Whether the choice includes the instance. */
export function isChosen(choice: InspectChoice, instanceId: string, typeName: string): boolean {
  switch (choice.kind) {
    case 'all':
      return true;
    case 'instance':
      return choice.id === instanceId;
    case 'type':
      return choice.name === typeName;
  }
}
