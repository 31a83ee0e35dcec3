/** Words and names that docs/glossary.md replaces: what to find, where, and what to write. */

export interface WordRule {
  /** `prose`: words of comments, texts and docs. `name`: identifiers, file names, and names quoted in texts. */
  kind: 'prose' | 'name';
  /** Prose: matched anywhere in the text, ignoring case. Name: matched against the whole identifier. */
  pattern: RegExp;
  replacement: string;
  /** Paths the rule applies to; missing: all. */
  within?: RegExp;
}

export interface WordException {
  /** Paths the exception applies to; missing: all. */
  path?: RegExp;
  /** Matched against the line; the finding must lie inside a match. */
  text: RegExp;
  reason: string;
}

function prose(words: string, replacement: string, within?: RegExp): WordRule {
  return {
    kind: 'prose',
    pattern: new RegExp(`\\b(?:${words})\\b`, 'gi'),
    replacement,
    ...(within && { within }),
  };
}

function name(pattern: RegExp, replacement: string, within?: RegExp): WordRule {
  return { kind: 'name', pattern, replacement, ...(within && { within }) };
}

/** Matches an identifier that has these words, in any case style: `holdOff`, `HoldOffs`, `hold-off`, `hold_off`. */
function stem(words: string, replacement: string, within?: RegExp): WordRule {
  const [first = '', ...rest] = words.split(' ');
  const capital = (word: string): string => `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`;
  const humps = rest.map(capital).join('');
  const start = `(?:^|[a-z0-9]|[._#$-])`;
  const lower = [first, ...rest].join('[-_.]?');
  const pattern = new RegExp(
    `(?:^|[._#$-])(?:${first}${humps}|${lower})(?:s|es)?(?=$|[A-Z0-9._-])|${start}${capital(first)}${humps}(?:s|es)?(?=$|[A-Z0-9._-])`,
  );
  return name(pattern, replacement, within);
}

const leadership = /(?:leader|compose\/|daemon\/|while-leading|mandate|failover|standby)/;
const simulation = /(?:simulation|soak|simulate)/;

export const wordRules: readonly WordRule[] = [
  prose('told|tells?|telling', 'notify, report, say, return; "tell A from B": distinguish'),
  prose('wish(?:es|ed)?', 'request'),
  prose('wants?|wanted', 'request, need, require, intend'),
  prose('nobody', 'no one is rarely the subject: name the part ("no reader", "no daemon")'),
  prose('somebody', 'name who: an operator, a client, another process'),
  prose('stor(?:y|ies)(?! point)', 'simulated run, journal entries, history'),
  prose('heeds?|heeded', 'observe, apply'),
  prose('reigns?', 'lead, leading'),
  prose('at present', 'now, or nothing: the present tense says it'),
  prose('the ones? that goe?s?', 'name it'),
  prose('hold-offs?|held off|holds off', 'circuit breaker, open'),
  prose('mandates?', 'leader guard'),
  prose('rosters?', 'worker registry'),
  prose('signs? of life', 'heartbeat'),
  prose('stand(?:s|ing)? by', 'is a standby'),
  prose('visits?|visited', 'probe round'),
  prose('knobs?', 'VM behavior'),
  prose('misfits?', 'unschedulable container'),
  prose('upkeep', 'fleet maintenance'),
  prose('lifelines?', 'simulated process'),
  prose('ledgers?', 'ground truth'),

  stem('hold off', 'CircuitBreaker / breaker; closed, open, halfOpen, probing'),
  stem('mandate', 'LeaderGuard, NotLeaderError, alwaysLeader'),
  stem('reign', 'lead'),
  stem('roster', 'SupervisorPort (interface), WorkerRegistry'),
  stem('misfit', 'UnschedulableContainer'),
  stem('upkeep', 'FleetMaintenance'),
  stem('queue line', 'IncrementalQueueOrder'),
  stem('wish', 'CreateRequest, containerRequestData, ServeOptions'),
  stem('lifeline', 'SimulatedProcess'),
  stem('heed', 'observeChannel, applyWatchEvent'),
  stem('standing by', 'standby'),
  stem('while leading', 'leaderOnly'),
  stem('quiet visits', 'SkipUnchangedProbes'),
  stem('azure world', 'AzureContext'),
  stem('worker world', 'WorkerDeps', /^src\//),
  stem('output keeper', 'OutputRetention'),
  stem('boot guard', 'settings of a circuit breaker'),
  stem('create failures', 'settings of a circuit breaker'),
  stem('wanted tags', 'desiredTags'),
  stem('recorded queue', 'observedQueue'),
  stem('story', 'SimulatedRun; of the journal: journalEntriesFor'),
  stem('told', 'Narration; reported'),
  stem('tell', 'notify, report; tellEntry: describeEntry'),
  stem('wanted', 'requested, needed'),
  stem('knobs', 'VM behavior'),
  stem('dangling', 'leaked resources'),
  stem('meters', 'EC2 metrics', /ec2/),
  stem('endings', 'termination reasons', /ec2/),
  stem('ledger', 'GroundTruth'),
  stem('trouble', 'ActiveFaults', simulation),
  stem('troubled', 'faulty', simulation),
  stem('strike', 'injectFault', simulation),
  stem('lies', 'corruptListing', simulation),
  stem('beat', 'renewInterval, heartbeat', leadership),
  stem('take over', 'leaseExpiry', leadership),
  stem('sighting', 'LeaseStatus vacant / renewed / stale', /leader/),
  stem('in turn', 'withSlot'),
  name(/^(?:Slots|Turns)$/, 'Semaphore, RateLimiter'),
  name(/^bounded$/, 'withDeadline'),
  name(/^observed$/, 'observeTransitions', /observe|compose\/|daemon\/|actors\//),
  name(/^(?:Orders|Begun)$/, 'LeaderSession, ActiveSession', leadership),
  name(/^(?:awaitsNews|misses)$/, 'needsResync, hasMissingInstances'),
  name(/^(?:note|announce)[A-Z]/, 'recordX, emitX'),
  name(/^hastenProbe$/, 'requestProbe'),
  name(/^probe\.rested$/, 'probe.finished'),
  name(/^scheduler\.keep$/, 'scheduler.retain'),
  name(/^fixingLocks$/, 'reconcilingLocks'),
];

/** Paths without old words, which `npm run check` keeps so; a renamed folder is added. */
export const cleanPaths: readonly string[] = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'README.md',
  'SCOPE.md',
  'docs',
  'src/api',
  'src/cli',
  'src/config',
  'src/inspector',
  'src/journal/explain',
  'src/page',
];

/** Text that keeps an old word, and why. One that excuses nothing in the whole tree is a finding itself. */
export const wordExceptions: readonly WordException[] = [
  {
    path: /^docs\/glossary\.md$/,
    text: /.*/,
    reason: 'The glossary lists the old names beside the new ones.',
  },
  {
    path: /^(?:scripts\/word-rules\.ts|test\/check-words\.test\.ts)$/,
    text: /.*/,
    reason: 'The rules and their tests spell out what they find.',
  },
  {
    path: /^CHANGELOG\.md$/,
    text: /\(was `[^`]*`/,
    reason: 'Renamed keys are listed with their old names.',
  },
  {
    path: /^docs\/security\.md$/,
    text: /“[^”]*”/,
    reason: 'The page quotes titles of tests, which are checked where they stand.',
  },
  {
    text: /\b(?:pool\.)?(?:quota|capacity|bootFailure)HoldOff(?:Ms)?\b/,
    reason: 'Configuration keys that files of operators use.',
  },
  {
    text: /\bdeleteDanglingResourcesAfter(?:Ms)?\b/,
    reason: 'A driver parameter that the specification names.',
  },
];
