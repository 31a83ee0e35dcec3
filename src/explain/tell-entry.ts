import type { JournalEntry } from '../journal/journal.js';
import type { Told } from './explanation.js';
import { dollarText, spanText } from './time-text.js';

type Teller = (entry: JournalEntry, names: Names) => string | undefined;

/** How the sentence calls those it is about: the one that is explained is "it". */
interface Names {
  instance: string;
  container: string;
}

const bootStages: Readonly<Record<string, string>> = {
  requested: 'the provider accepted the request',
  addressed: 'it has an address',
  connected: 'an SSH server answers there',
  verified: 'the server proved to be this instance',
  booted: 'its system is up',
  copied: 'the runner program is in place',
};

const endings: Readonly<Record<string, string>> = {
  collected: 'ended, and its result was brought home',
  missing: 'has no process any more, and left no result',
  killed: 'was made to end, as ordered',
  lost: 'was given up: neither its end nor its result could be had',
};

const orders: Readonly<Record<string, string>> = {
  hold: 'to be kept, with no more containers',
  drain: 'to take no more containers and go when it is free',
  run: 'to take containers again',
  kill: 'to be destroyed at once',
  shutdown: 'to be destroyed',
  cancel: 'to be cancelled',
};

const operations: Readonly<Record<string, string>> = {
  Create: 'make it',
  Destroy: 'destroy it',
  SetTags: 'write its tags',
  List: 'list the instances',
};

/** How each kind of entry is told. Names are put in as they are; sentences begin with a capital. */
const tellers: Readonly<Record<string, Teller>> = {
  'worker.appeared': ({ data, because }, { instance }) =>
    `${instance} appeared as ${text(data?.['type'])} at $${text(data?.['price'])} an hour: ${because}.`,
  'worker.transition': tellTransition,
  'worker.behavior': ({ from, to, because }, { instance }) =>
    from === 'restoring'
      ? `${instance} begins with behavior ${to}: ${because}.`
      : `${instance} went from ${from} to ${to}, because of this order or report: ${because}.`,
  'worker.gone': ({ from, data }, { instance }) =>
    `${instance} left the provider’s list (${from}) after ${spanText(Number(data?.['lifeMs']))}, at a cost of ${dollarText(Number(data?.['cost']))}.`,
  'worker.broke': ({ because }) =>
    `A fault of the daemon stopped the worker that looks after it: ${because}.`,
  'worker.replaced': () => 'A new worker looks after it.',
  'boot.outcome': ({ to }, { instance }) => `${of('boot', instance)} ended: ${to}.`,
  'container.started': (_entry, { instance, container }) =>
    `The start command for ${container} returned on ${instance}.`,
  'container.found': (_entry, { instance, container }) =>
    `${container} was found on ${instance}; an earlier daemon put it there.`,
  'container.exited': ({ because = '' }, { instance, container }) =>
    `${container} ${endings[because] ?? because}${instance === 'it' ? '' : ` (on ${instance})`}.`,
  'container.complete': ({ because }, { container }) => `${container} is Complete: ${because}.`,
  'container.cancelled': ({ because }, { container }) => `${container} is Cancelled: ${because}.`,
  'container.lost': ({ because, to }, { container }) =>
    `This attempt at ${container} was lost, because ${because}; it is ${to ?? 'dealt with'} now.`,
  'plan.lock': ({ because }, { container }) => `The scheduler chose ${container}: ${because}.`,
  'plan.unlock': ({ because }, { container }) => `${container} was put back into the queue: ${because}.`,
  'plan.start': ({ because }, { container, instance }) =>
    `The scheduler gave ${container} to ${instance}: ${because}.`,
  'plan.create': ({ because }) => `The scheduler wants a new instance, ${because}.`,
  'plan.shutdown': ({ because }, { instance }) => `The scheduler wants ${instance} gone: ${because}.`,
  'plan.kill': ({ because }, { container }) => `${of('process', container)} is to end: ${because}.`,
  'plan.lost': ({ because }, { container }) => `The scheduler takes ${container} for lost: ${because}.`,
  'operator.order': tellOrder,
  'invariant.violated': ({ because, data }) =>
    `What must never happen did: ${because} (${text(data?.['promise'])}) Please report it.`,
  'launch.created': ({ to }, { instance }) => `The provider made ${instance} as ${to}.`,
};

/** The entry as one sentence; `undefined` for one that tells people nothing. `about`: the id that is explained. */
export function tellEntry(entry: JournalEntry, about: string): Told | undefined {
  const call = (id: string | undefined, noun: string): string =>
    id === about ? 'it' : id === undefined ? `no ${noun}` : id;
  const names = {
    instance: call(entry.instance, 'instance'),
    container: call(entry.container, 'container'),
  };
  const teller = tellers[entry.kind] ?? tellOther;
  const sentence = teller(entry, names)?.replace(/([^.])\.\.$/, '$1.');
  return sentence === undefined ? undefined : { at: entry.at, text: capital(sentence) };
}

function tellTransition(
  { from = '', to = '', because }: JournalEntry,
  { instance }: Names,
): string | undefined {
  const reached = /^booting\.(\w+)$/.exec(to)?.[1];
  if (reached !== undefined && from.startsWith('booting')) {
    return `${of('boot', instance)} went on: ${bootStages[reached] ?? reached}.`;
  }
  if (to === 'shutdown.leaving') return undefined;
  if (from.startsWith('shutdown') && to === 'shutdown.destroying') {
    return `${instance} is still listed, and the order to destroy it is repeated.`;
  }
  return `${instance} went from ${plainState(from)} to ${plainState(to)}, because ${asClause(because ?? '')}.`;
}

/** Reasons that are no whole sentence, as one. */
export function asClause(because: string): string {
  if (/^(idle|draining|broken) /.test(because)) return `it was ${because}`;
  if (because.startsWith('never ')) return `it ${because}`;
  return because.startsWith('no answer ') ? `there was ${because}` : because;
}

function of(noun: string, owner: string): string {
  return owner === 'it' ? `Its ${noun}` : `The ${noun} of ${owner}`;
}

function tellOrder({ to = '', because, container }: JournalEntry, names: Names): string {
  if (/^(reset|priority) /.test(to)) return `Order: ${to}. ${because}.`;
  if (container === undefined) return `${names.instance} was ordered ${orders[to] ?? to}: ${because}.`;
  return `${names.container} was ordered ${to === 'kill' ? 'to end' : (orders[to] ?? to)}: ${because}.`;
}

/** Calls to the provider and what could not be carried out. */
function tellOther({ kind, because, data, container, instance }: JournalEntry): string | undefined {
  const operation = /^cloud\.(\w+)$/.exec(kind)?.[1];
  if (operation !== undefined) {
    const took = `in ${spanText(Number(data?.['durationMs'] ?? 0))}`;
    const what = operations[operation] ?? operation;
    if (data?.['code'] === 'ok') return `The provider did as told to ${what}, ${took}.`;
    return `The provider was told to ${what} and refused (${text(data?.['code'])}): ${because}.`;
  }
  const failed = /^plan\.(\w+)-failed$/.exec(kind)?.[1];
  if (failed !== undefined) return `The step "${failed}" failed and is tried again: ${because}.`;
  const about = container ?? instance ?? '';
  return `${kind}${about === '' ? '' : ` (${about})`}${because === undefined ? '' : `: ${because}`}.`;
}

/** `booting.copied` as `booting`. */
function plainState(state: string): string {
  return state.split('.')[0] ?? state;
}

function capital(sentence: string): string {
  return /^it\b/.test(sentence) ? `I${sentence.slice(1)}` : sentence;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
