/** The entries of the form for a new container, as text, so that no entry is lost or changed. */
export interface Draft {
  /** True: `command` is a script for `sh -c`; false: a JSON list of words. */
  isScript: boolean;
  command: string;
  name: string;
  image: string;
  cwd: string;
  /** NAME=value on each line, or a JSON object. */
  env: string;
  vcpus: string;
  ram: string;
  scratch: string;
  priority: string;
  attempts: string;
  maxRunTime: string;
  /** `''`: no retry policy. */
  retryOn: string;
  retryDelay: string;
  preemptible: boolean;
  supervisor: boolean;
  onDemandFallback: string;
  /** JSON; `''`: none. */
  gpu: string;
  idempotencyKey: string;
  count: string;
}
export type Field = keyof Draft;

/** A container of `POST /v1/containers`, as the daemon returns it. */
export interface RequestBody {
  name: string;
  command: string[];
  env: Record<string, string>;
  image: string;
  cwd: string;
  vcpus: number;
  ram: number;
  scratch: number;
  priority: string;
  preemptible: boolean;
  supervisor: boolean;
  maxRunTime: string | 0;
  onDemandFallback?: boolean;
  retry?: { exitCodes: 'any' | number[]; delay: string | 0 };
  attempts: number;
  gpu?: Record<string, unknown>;
}

/** An invalid entry, found before the request. */
export class FieldError extends Error {
  readonly field: Field;
  constructor(field: Field, message: string) {
    super(message);
    this.field = field;
  }
}

export const emptyDraft: Draft = {
  isScript: true,
  command: '',
  name: '',
  image: '',
  cwd: '',
  env: '',
  vcpus: '1',
  ram: '64MiB',
  scratch: '0',
  priority: '1',
  attempts: '3',
  maxRunTime: '0',
  retryOn: '',
  retryDelay: '',
  preemptible: false,
  supervisor: false,
  onDemandFallback: '',
  gpu: '',
  idempotencyKey: '',
  count: '1',
};

/** Fills the form with a request; {@link requestOf} returns the same request. */
export function draftOf(request: RequestBody): Draft {
  const { command, env, retry, onDemandFallback, gpu } = request;
  const script = scriptOf(command);
  return {
    isScript: script !== undefined,
    command: script ?? JSON.stringify(command),
    name: request.name,
    image: request.image,
    cwd: request.cwd,
    env: envText(env),
    vcpus: String(request.vcpus),
    ram: sizeText(request.ram),
    scratch: sizeText(request.scratch),
    priority: request.priority,
    attempts: String(request.attempts),
    maxRunTime: String(request.maxRunTime),
    retryOn: retry ? codesText(retry.exitCodes) : '',
    retryDelay: retry ? String(retry.delay) : '',
    preemptible: request.preemptible,
    supervisor: request.supervisor,
    onDemandFallback: onDemandFallback === undefined ? '' : onDemandFallback ? 'yes' : 'no',
    gpu: gpu ? JSON.stringify(gpu) : '',
    idempotencyKey: '',
    count: '1',
  };
}

/** Returns the script of `sh -c SCRIPT`, unless it is blank or has a carriage return, which a text area would lose. */
export function scriptOf(command: readonly string[]): string | undefined {
  const [shell, option, script, ...rest] = command;
  const isScript = shell === 'sh' && option === '-c' && script !== undefined && rest.length === 0;
  return isScript && script.trim() !== '' && !script.includes('\r') ? script : undefined;
}

/** Parses the command. Throws {@link FieldError}. */
export function wordsOf({ isScript, command }: Draft): unknown {
  if (command.trim() === '') throw new FieldError('command', 'enter a command');
  return isScript ? ['sh', '-c', command] : parsed('command', command, 'a list of words, ["like", "this"]');
}

/** Returns one container for `POST /v1/containers`; the daemon validates the rest. Throws {@link FieldError}. */
export function requestOf(draft: Draft): Record<string, unknown> {
  const { retryOn, retryDelay, onDemandFallback, maxRunTime, gpu, priority } = draft;
  return {
    name: draft.name,
    command: wordsOf(draft),
    env: envOf(draft.env),
    image: draft.image,
    cwd: draft.cwd,
    vcpus: numberOrText(draft.vcpus),
    ram: draft.ram.trim() || 0,
    scratch: draft.scratch.trim() || 0,
    priority: priority.trim() || 1,
    preemptible: draft.preemptible,
    supervisor: draft.supervisor,
    maxRunTime: zeroOrText(maxRunTime),
    ...(onDemandFallback === '' ? {} : { onDemandFallback: onDemandFallback === 'yes' }),
    ...(retryOn.trim() === '' && retryDelay.trim() === '' ? {} : { retry: retryOf(retryOn, retryDelay) }),
    attempts: numberOrText(draft.attempts),
    ...(gpu.trim() === ''
      ? {}
      : { gpu: parsed('gpu', gpu, 'an object, {"stack": "cuda", "deviceCount": 1}') }),
    ...(draft.idempotencyKey === '' ? {} : { idempotencyKey: draft.idempotencyKey }),
  };
}

/** Parses the number of containers. Throws {@link FieldError}. */
export function countOf({ count }: Draft): number {
  if (!/^\d{1,5}$/.test(count.trim()) || Number(count) < 1 || Number(count) > 10_000)
    throw new FieldError('count', 'enter a number from 1 to 10000');
  return Number(count);
}

/** Splits a message of the daemon into its field and the text. */
export function fieldOf(message: string): { field: Field | undefined; text: string } {
  const match = /^containers(?:\.\d+\.?([A-Za-z]*)(?:\.([^:\s]*))?)?: (.*)$/s.exec(message);
  if (!match) return { field: undefined, text: message };
  const [, name, below = '', text = ''] = match;
  if (name === undefined) return { field: 'count', text };
  if (name === 'retry') return { field: below === 'delay' ? 'retryDelay' : 'retryOn', text };
  const isField = name in emptyDraft;
  const where = below === '' ? '' : `${below}: `;
  return isField ? { field: name as Field, text: where + text } : { field: undefined, text: message };
}

function parsed(field: Field, text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FieldError(field, `enter JSON, ${what}: ${(error as Error).message}`);
  }
}

function envText(env: Record<string, string>): string {
  const entries = Object.entries(env);
  if (entries.some(([, value]) => /[\n\r]/.test(value))) return JSON.stringify(env);
  return entries.map(([name, value]) => `${name}=${value}`).join('\n');
}

function envOf(text: string): unknown {
  if (text.trimStart().startsWith('{')) return parsed('env', text, 'an object, {"NAME": "value"}');
  const entries: [string, string][] = [];
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const equals = line.indexOf('=');
    if (equals < 1) throw new FieldError('env', `"${line}" is not NAME=value`);
    entries.push([line.slice(0, equals).trim(), line.slice(equals + 1)]);
  }
  return Object.fromEntries(entries);
}

const codesText = (codes: 'any' | readonly number[]): string =>
  codes === 'any' ? codes : codes.length === 0 ? 'none' : codes.join(', ');

function retryOf(on: string, delay: string): Record<string, unknown> {
  const codes = on.trim();
  const list = ['', 'none'].includes(codes) ? [] : codes.split(',').map((each) => numberOrText(each));
  return { exitCodes: codes === 'any' ? codes : list, delay: zeroOrText(delay) };
}

const zeroOrText = (text: string): string | 0 => (['', '0'].includes(text.trim()) ? 0 : text.trim());

/** Leaves text that is not a number to the daemon's validation. */
const numberOrText = (text: string): number | string =>
  /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;

/** Returns the shortest text that means exactly this many bytes. */
function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const)
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  return String(bytes);
}
