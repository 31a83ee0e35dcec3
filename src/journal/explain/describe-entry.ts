import type { JournalEntry } from '../journal.js';
import type { Narration } from './explanation.js';
import { dollarText, spanText } from './format-time.js';

type Describer = (entry: JournalEntry, names: Names) => string | undefined;

/** Names in the sentence: the explained instance or container is "it". */
interface Names {
  instance: string;
  container: string;
}

const bootStages: Readonly<Record<string, string>> = {
  requested: 'the provider accepted the request',
  addressed: 'it has an address',
  connected: 'an SSH server responds',
  verified: 'the server proved its identity',
  booted: 'the boot probe succeeded',
  copied: 'the runner program is installed',
};

const endings: Readonly<Record<string, string>> = {
  collected: 'ended, and its result was collected',
  missing: 'disappeared without leaving a result',
  killed: 'was stopped as requested',
  refused: 'did not start',
  lost: 'was given up: it could not be stopped, or its result could not be collected',
};

const orders: Readonly<Record<string, string>> = {
  hold: 'hold it: no new containers, no shutdown',
  drain: 'drain it: no new containers, shutdown when empty',
  run: 'run containers on it again',
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

/** Describes each kind of entry. Inserts names unchanged; sentences begin with a capital. */
const describers: Readonly<Record<string, Describer>> = {
  'worker.appeared': ({ data, because }, { instance }) =>
    `${instance} appeared as ${text(data?.['type'])} at $${text(data?.['price'])} an hour: ${because}.`,
  'worker.transition': describeTransition,
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
    `${of('host key', instance)} changed from ${text(data?.['before'])} to ${text(data?.['now'])}, and was ${to === 'refused' ? 'rejected' : 'accepted'}, because ${because}.`,
  'journal.cut': ({ because }, { instance }) => `Entries about ${instance} were left out: ${because}.`,
  'worker.broke': ({ because }) => `A bug stopped the worker of the instance: ${because}.`,
  'worker.replaced': () => 'A new worker replaced it.',
  'boot.outcome': ({ to }, { instance }) => `${of('boot', instance)} ${boots[to ?? ''] ?? `ended: ${to}`}.`,
  'container.started': ({ data }, { instance, container }) =>
    `${container} was started on ${instance}${attemptText(data, ' as attempt ')}.`,
  'container.startFailed': ({ because, data }, { instance, container }) =>
    `The start of ${container} on ${instance} failed${data?.['ranNothing'] === true ? ', and no process ran' : '; a probe will show whether it runs there'}: ${because}.`,
  'container.found': (_entry, { instance, container }) =>
    `${container} was found on ${instance}, where an earlier daemon started it.`,
  'container.exited': ({ because = '' }, { instance, container }) =>
    `${container} ${endings[because] ?? because}${instance === 'it' ? '' : ` (on ${instance})`}.`,
  'container.complete': ({ because, data }, { container }) =>
    `${container} is Complete: ${because}${attemptText(data, ', in attempt ')}.`,
  'container.attempt-ended': describeAttemptEnd,
  'container.claim-refused': ({ because, data }, { instance, container }) =>
    `A ${claims[text(data?.['what'])] ?? 'report'} of ${container} on ${instance} was refused: ${because}.`,
  'container.cancelled': ({ because }, { container }) => `${container} is Cancelled: ${because}.`,
  'container.lost': ({ because, to }, { container }) =>
    `${container} was lost, because ${because}${to === undefined ? '' : `; it is now ${to}`}.`,
  'container.reverted': ({ because, to }, { container }) =>
    `The attempt of ${container} ran nothing and does not count: ${because}${to === undefined ? '' : `; it is now ${to}`}.`,
  'plan.lock': ({ because }, { container }) => `The scheduler selected ${container}: ${because}.`,
  'plan.unlock': ({ because }, { container }) => `${container} was unlocked: ${because}.`,
  'plan.start': ({ because }, { container, instance }) =>
    `The scheduler placed ${container} on ${instance}: ${because}.`,
  'plan.create': ({ because }) => `The scheduler requested a new instance, ${because}.`,
  'plan.shutdown': ({ because }, { instance }) => `The scheduler decided to destroy ${instance}: ${because}.`,
  'plan.kill': ({ because }, { container }) =>
    `Stop order sent${container === 'it' ? '' : ` to ${container}`}: ${because}.`,
  'plan.lost': ({ because }, { container }) => `The scheduler considers ${container} lost: ${because}.`,
  'plan.revert': ({ because }, { container }) =>
    `The scheduler reverts the attempt of ${container}, which ran nothing: ${because}.`,
  'operator.order': describeOrder,
  'invariant.violated': ({ because, data }) =>
    `An invariant does not hold: ${because} (${text(data?.['promise'])}) Please report it.`,
  'launch.created': ({ to }, { instance }) => `The provider created ${instance} as ${to}.`,
};

/** Describes the entry as one sentence; `undefined` for one of no interest. `about`: the explained id. */
export function describeEntry(entry: JournalEntry, about: string): Narration | undefined {
  const call = (id: string | undefined, noun: string): string =>
    id === about ? 'it' : id === undefined ? `no ${noun}` : id;
  const names = {
    instance: call(entry.instance, 'instance'),
    container: call(entry.container, 'container'),
  };
  const describer = describers[entry.kind] ?? describeOther;
  const sentence = describer(entry, names)?.replace(/([^.])\.\.$/, '$1.');
  return sentence === undefined ? undefined : { at: entry.at, text: capital(sentence) };
}

function describeTransition(
  { from = '', to = '', because }: JournalEntry,
  { instance }: Names,
): string | undefined {
  const reached = /^booting\.(\w+)$/.exec(to)?.[1];
  if (reached !== undefined && from.startsWith('booting')) {
    return `${instance === 'it' ? 'Boot' : `Boot of ${instance}`}: ${bootStages[reached] ?? reached}.`;
  }
  // `worker.gone` reports the termination.
  if (to === 'shutdown.leaving' || to === 'gone') return undefined;
  if (from.startsWith('shutdown') && to === 'shutdown.destroying') {
    return `${instance} is still listed, and the destroy call is repeated.`;
  }
  return `${instance} went from ${plainState(from)} to ${plainState(to)}, because ${asClause(because ?? '')}.`;
}

function describeAttemptEnd({ because, to, data }: JournalEntry, { container }: Names): string {
  const which = text(data?.['attempt']);
  const subject = `${which === '' ? 'An attempt' : `Attempt ${which}`} of ${container}`;
  if (to === 'Cancelled') return `${subject} ended after the cancellation: ${because}.`;
  return `${subject} ended: ${because}; it is retried.`;
}

function attemptText(data: JournalEntry['data'], before: string): string {
  const attempt = text(data?.['attempt']);
  return attempt === '' || attempt === '1' ? '' : `${before}${attempt}`;
}

/** Completes reasons that are not a clause. */
export function asClause(because: string): string {
  if (/^(idle|draining|broken) /.test(because)) return `it was ${because}`;
  if (because.startsWith('never ')) return `it ${because}`;
  return because.startsWith('no answer ') ? `there was ${because}` : because;
}

function of(noun: string, owner: string): string {
  return owner === 'it' ? `Its ${noun}` : `The ${noun} of ${owner}`;
}

function describeOrder({ to = '', because, container }: JournalEntry, names: Names): string {
  if (/^(reset|priority) /.test(to)) return `Operator command: ${to} (${because}).`;
  const about = container === undefined ? names.instance : names.container;
  const what = container !== undefined && to === 'kill' ? 'stop it' : (orders[to] ?? to);
  return `Operator command: ${what.replace(/\bit\b/, about)} (${because}).`;
}

/** Describes provider calls and failed operations. */
function describeOther({ kind, because, data, container, instance }: JournalEntry): string | undefined {
  const operation = /^cloud\.(\w+)$/.exec(kind)?.[1];
  if (operation !== undefined) {
    const ms = Number(data?.['durationMs'] ?? 0);
    const took = ms < 1_000 ? `${Math.round(ms)} ms` : spanText(ms);
    const what = operations[operation] ?? operation;
    if (data?.['code'] === 'ok') return `The provider accepted the call to ${what} (took ${took}).`;
    return `The provider call to ${what} failed after ${took} (${text(data?.['code'])}): ${because}.`;
  }
  const failed = /^plan\.(\w+)-failed$/.exec(kind)?.[1];
  if (failed !== undefined) return `The operation "${failed}" failed and is retried: ${because}.`;
  const about = container ?? instance ?? '';
  return `${kind}${about === '' ? '' : ` (${about})`}${because === undefined ? '' : `: ${because}`}.`;
}

/** Returns `booting` for `booting.copied`. */
function plainState(state: string): string {
  return state.split('.')[0] ?? state;
}

function capital(sentence: string): string {
  return /^it\b/.test(sentence) ? `I${sentence.slice(1)}` : sentence;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
