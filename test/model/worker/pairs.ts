import type { PairRules } from '../exploring/pairs.js';

/** What the worker's chart is silent about, on purpose. */
export const workerPairRules: PairRules = {
  ignored: [
    {
      states: /lifecycle\.(?!booting\.(addressed|connected)).*/,
      events: /connection\.established/,
      because: 'only a boot has stages, and they only advance',
    },
    {
      states: /lifecycle\.(?!booting\.(addressed|connected)).*/,
      events: /connection\.verified/,
      because: 'only a boot has stages, and they only advance',
    },
    {
      states: /lifecycle\.booting\.connected/,
      events: /connection\.established/,
      because: 'a connection that was made again says nothing new',
    },
    {
      states: /lifecycle\.(idle|running)/,
      events: /boot\.succeeded|runner\.copied/,
      because: 'what was lost is put in place again, which is no stage of a boot',
    },
    {
      states: /lifecycle\.(unknown|orphaned)/,
      events: /boot\.succeeded|runner\.copied/,
      because: 'nobody counts the boot stages of an instance that was found',
    },
    {
      states: /lifecycle\.(booting\..*|running|shutdown\..*)/,
      events: /behavior\.changed/,
      because:
        'what follows from the wish follows at once by `always`, and a shutdown is never taken back (S-8)',
    },
    {
      states: /tags\.(saving|retrying)/,
      events: /behavior\.changed/,
      because: 'the tags are compared with the wish again after the write or the pause (K-32)',
    },
    {
      states: /lifecycle\.(unknown|orphaned|booting\..*|shutdown\..*)/,
      events: /container\.assigned/,
      because: 'only an instance in service takes containers; the pool tells the scheduler no (R-1)',
    },
    {
      states: /probe\.(bootProbing|copying|runProbing)/,
      events: /probe\.due/,
      because: 'one visit at a time (P-4)',
    },
  ],
  impossible: [
    {
      states: /lifecycle\.(booting\..*|idle|orphaned)/,
      events: /.*/,
      circumstances: /drain/,
      because: 'the order to drain ends these states in the same step (W-20)',
    },
    {
      states: /lifecycle\.booting\.(?!copied).*/,
      events: /round\.passed/,
      because: 'the stages advance within the round before it passes',
    },
    {
      states: /lifecycle\.shutdown\..*/,
      events: /round\.(passed|failed)/,
      because: 'the visit was cut off when the shutdown began (W-33)',
    },
    {
      states: /lifecycle\.booting\.(requested|booted|copied)/,
      events: /boot\.succeeded/,
      because: 'nothing answers without an address, and a boot succeeds once',
    },
    {
      states: /lifecycle\.shutdown\..*/,
      events: /boot\.succeeded|runner\.copied/,
      because: 'an instance that is to go is not visited (P-6)',
    },
    {
      states: /lifecycle\.booting\.(?!booted).*/,
      events: /runner\.copied/,
      because: 'the boot probe succeeds first in the same round',
    },
    {
      states: /lifecycle\.booting\..*/,
      events: /done \*|error \*|runner\..*/,
      because: 'no container is on an instance that is not in service yet',
    },
    {
      states: /watch\.(off|pausing|over)/,
      events: /watch\..*/,
      because: 'no channel is open that could say it',
    },
    {
      states: /idleBehavior\.(hold|drain)/,
      events: /node\.broken/,
      because: 'a broken report is only acted on while the instance is to run (W-26)',
    },
    {
      states: /lifecycle\.(unknown|orphaned)/,
      events: /runner\.startReturned/,
      because: 'containers are started in service only',
    },
    {
      states: /lifecycle\.idle/,
      events: /error \*|runner\..*/,
      because: 'a container keeps its instance running until its actor is done',
    },
    {
      states: /watch\.off/,
      events: /runner\.startReturned/,
      because: 'containers are started in service only',
    },
  ],
};
