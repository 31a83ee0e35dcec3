import type { JournalEntry } from '../journal.js';
import type { Told } from './explanation.js';
import { dollarText, spanText } from './format-time.js';

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
  collected: 'ended, and its result was collected',
  missing: 'disappeared without leaving a result',
  killed: 'was stopped, as ordered',
  refused: 'did not begin',
  lost: 'was given up: it could not be stopped, or its result could not be collected',
};

const orders: Readonly<Record<string, string>> = {
  hold: 'keep it, and give it no more containers',
  drain: 'give it no more containers, and destroy it once it is empty',
  run: 'give it containers again',
  kill: 'destroy it at once',
  shutdown: 'destroy it',
  cancel: 'cancel it',
  'clear quarantine': 'end its quarantine',
};

const boots: Readonly<Record<string, string>> = {
  success: 'succeeded',
  failure: 'failed',
  aborted: 'was given up',
  disappeared: 'ended because the instance disappeared',
};

const operations: Readonly<Record<string, string>> = {
  Create: 'make it',
  Destroy: 'destroy it',
  SetTags: 'write its tags',
  List: 'list the instances',
};

const claims: Readonly<Record<string, string>> = {
  result: 'result',
  loss: 'report of the loss',
  process: 'process',
};

/** How each kind of entry is told. Names are put in as they are; sentences begin with a capital. */
const tellers: Readonly<Record<string, Teller>> = {
  'worker.appeared': ({ data, because }, { instance }) =>
    `${instance} appeared as ${text(data?.['type'])} at $${text(data?.['price'])} an hour: ${because}.`,
  'worker.transition': tellTransition,
  'worker.behavior': ({ from, to, because }, { instance }) =>
    from === 'restoring'
      ? `${instance} starts with idle behavior ${to}: ${because}.`
      : `${of('idle behavior', instance)} changed from ${from} to ${to}: ${because}.`,
  'worker.gone': ({ from, data }, { instance }) =>
    `${instance} left the provider’s list (${from}) after ${spanText(Number(data?.['lifeMs']))}, at a cost of ${dollarText(Number(data?.['cost']))}.`,
  'instance.quarantined': ({ because }, { instance }) => `${instance} was quarantined, because ${because}.`,
  'instance.strike': ({ because, data }, { instance }) =>
    `A strike against ${instance} (${text(data?.['kind'])}): ${because}.`,
  'instance.host-key-changed': ({ to, because, data }, { instance }) =>
    `${of('host key', instance)} changed from ${text(data?.['before'])} to ${text(data?.['now'])}, and was ${to === 'refused' ? 'refused' : 'taken'}, because ${because}.`,
  'journal.cut': ({ because }, { instance }) =>
    `Not all that came about ${instance} was written down: ${because}.`,
  'worker.broke': ({ because }) => `A fault in the daemon interrupted its care for the instance: ${because}.`,
  'worker.replaced': () => 'The daemon looks after it again.',
  'boot.outcome': ({ to }, { instance }) => `${of('boot', instance)} ${boots[to ?? ''] ?? `ended: ${to}`}.`,
  'container.started': ({ data }, { instance, container }) =>
    `${container} was started on ${instance}${attemptText(data, ' as attempt ')}.`,
  'container.startFailed': ({ because, data }, { instance, container }) =>
    `The start of ${container} on ${instance} failed${data?.['ranNothing'] === true ? ', and nothing of it ran' : ', and it may run there until a probe shows whether it does'}: ${because}.`,
  'container.found': (_entry, { instance, container }) =>
    `${container} was found on ${instance}; an earlier daemon put it there.`,
  'container.exited': ({ because = '' }, { instance, container }) =>
    `${container} ${endings[because] ?? because}${instance === 'it' ? '' : ` (on ${instance})`}.`,
  'container.complete': ({ because, data }, { container }) =>
    `${container} is Complete: ${because}${attemptText(data, ', in attempt ')}.`,
  'container.attempt-ended': tellAttemptEnd,
  'container.claim-refused': ({ because, data }, { instance, container }) =>
    `A ${claims[text(data?.['what'])] ?? 'report'} of ${container} on ${instance} was refused: ${because}.`,
  'container.cancelled': ({ because }, { container }) => `${container} is Cancelled: ${because}.`,
  'container.lost': ({ because, to }, { container }) =>
    `${container} was lost, because ${because}${to === undefined ? '' : `; it is now ${to}`}.`,
  'container.reverted': ({ because, to }, { container }) =>
    `The attempt at ${container} ran nothing, so that it does not count: ${because}${to === undefined ? '' : `; it is now ${to}`}.`,
  'plan.lock': ({ because }, { container }) => `The scheduler chose ${container}: ${because}.`,
  'plan.unlock': ({ because }, { container }) => `${container} was put back into the queue: ${because}.`,
  'plan.start': ({ because }, { container, instance }) =>
    `The scheduler gave ${container} to ${instance}: ${because}.`,
  'plan.create': ({ because }) => `The scheduler asked for a new instance, ${because}.`,
  'plan.shutdown': ({ because }, { instance }) => `The scheduler decided to destroy ${instance}: ${because}.`,
  'plan.kill': ({ because }, { container }) =>
    `${of('process', container)} must not run any more: ${because}.`,
  'plan.lost': ({ because }, { container }) => `The scheduler considers ${container} lost: ${because}.`,
  'plan.revert': ({ because }, { container }) =>
    `The scheduler takes back the attempt at ${container}, which ran nothing: ${because}.`,
  'operator.order': tellOrder,
  'invariant.violated': ({ because, data }) =>
    `A rule that must always hold was broken: ${because} (${text(data?.['promise'])}) Please report it.`,
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
    return `${instance === 'it' ? 'Boot' : `Boot of ${instance}`}: ${bootStages[reached] ?? reached}.`;
  }
  // That it is gone is told by itself.
  if (to === 'shutdown.leaving' || to === 'gone') return undefined;
  if (from.startsWith('shutdown') && to === 'shutdown.destroying') {
    return `${instance} is still listed, and the order to destroy it is repeated.`;
  }
  return `${instance} went from ${plainState(from)} to ${plainState(to)}, because ${asClause(because ?? '')}.`;
}

function tellAttemptEnd({ because, to, data }: JournalEntry, { container }: Names): string {
  const which = text(data?.['attempt']);
  const subject = `${which === '' ? 'An attempt' : `Attempt ${which}`} of ${container}`;
  if (to === 'Cancelled') return `${subject} ended after the cancel: ${because}.`;
  return `${subject} ended: ${because}; it is tried again.`;
}

function attemptText(data: JournalEntry['data'], before: string): string {
  const attempt = text(data?.['attempt']);
  return attempt === '' || attempt === '1' ? '' : `${before}${attempt}`;
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
  const about = container === undefined ? names.instance : names.container;
  const what = container !== undefined && to === 'kill' ? 'stop it' : (orders[to] ?? to);
  return `An order came to ${what.replace(/\bit\b/, about)} (${because}).`;
}

/** Calls to the provider and what could not be carried out. */
function tellOther({ kind, because, data, container, instance }: JournalEntry): string | undefined {
  const operation = /^cloud\.(\w+)$/.exec(kind)?.[1];
  if (operation !== undefined) {
    const ms = Number(data?.['durationMs'] ?? 0);
    const took = ms < 1_000 ? `${Math.round(ms)} ms` : spanText(ms);
    const what = operations[operation] ?? operation;
    if (data?.['code'] === 'ok') return `The provider accepted the call to ${what} (took ${took}).`;
    return `The provider refused the call to ${what} after ${took} (${text(data?.['code'])}): ${because}.`;
  }
  const failed = /^plan\.(\w+)-failed$/.exec(kind)?.[1];
  if (failed !== undefined) return `The step "${failed}" failed and will be tried again: ${because}.`;
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
