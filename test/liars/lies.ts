import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ServerChannel } from 'ssh2';
import { parseStubCommand } from '../../src/drivers/simulated/stub-command.js';
import type { SeededRandom } from '../../src/simulation/seeded-random.js';
import { lies as said, type Behaviour, type CommandKind } from '../support/lying-server.js';

/** What a liar knows and may make use of. */
export interface LiarView {
  random: SeededRandom;
  clusterId: string;
  /** Containers that were started on it. */
  given: ReadonlySet<string>;
  /** Containers that run, or ran, on other instances. */
  readonly others: readonly string[];
}

/** One way to lie, on commands of one kind. */
export interface Lie {
  name: string;
  on: CommandKind;
  /**
   * True: no honest instance does this, so that it is quarantined for it. False: a sick one may, and is borne or retired
   * as such.
   */
  isBreach: boolean;
  /** The output goes out without its frame. */
  isUnframed?: boolean;
  /** It is told only while there is a container elsewhere to tell it of. */
  needsOthers?: boolean;
  tell(view: LiarView): Behaviour;
}

const escapes = '\u001b[2J\u001b]0;owned\u0007\u001b[31m"\\\u0000';
const MiB = 2 ** 20;

const lie = (name: string, on: CommandKind, tell: Lie['tell']): Lie => ({ name, on, isBreach: false, tell });
const breach = (name: string, on: CommandKind, tell: Lie['tell']): Lie => ({
  name,
  on,
  isBreach: true,
  tell,
});

const ofOthers = (each: Lie): Lie => ({ ...each, needsOthers: true });

const onList: readonly Lie[] = [
  breach('10,000 made-up ids', 'list', ({ clusterId }) => said.adds(said.madeUpIds(10_000, '', clusterId))),
  breach('10,000 made-up ids that ended', 'list', ({ clusterId }) =>
    said.adds(said.madeUpIds(10_000, 'ended', clusterId)),
  ),
  breach('a list whose line never ends', 'list', () => said.endlessLine),
  breach('a list that never ends', 'list', (view) => said.repeats(`${madeUp(view)} ended`)),
  breach('a list of any size', 'list', (view) => said.adds(listOfAnySize(view, 200))),
  ofOthers(
    breach('ended containers of others', 'list', (view) =>
      said.adds(lines(view.others, (uuid) => `${uuid} ended`)),
    ),
  ),
  ofOthers(
    breach('running containers of others', 'list', (view) => said.adds(lines(view.others, (uuid) => uuid))),
  ),
  breach('a broken note of megabytes', 'list', () => said.says(`broken ${escapes.repeat(100_000)}\n`)),
  lie('some made-up ids that ended', 'list', (view) =>
    said.adds(said.madeUpIds(view.random.whole(1, 50), 'ended', view.clusterId)),
  ),
  lie('wrong attempts', 'list', ({ given, random }) =>
    said.adds(lines([...given], (uuid) => `attempt ${uuid} ${random.whole(2, 999_999_999)}\n${uuid}`)),
  ),
  { ...lie('a list without a frame', 'list', () => said.says(escapes.repeat(50))), isUnframed: true },
  { ...lie('an endless list without a frame', 'list', () => said.endlessLine), isUnframed: true },
  {
    ...lie('an unframed list of any size', 'list', (view) => said.says(listOfAnySize(view, 1))),
    isUnframed: true,
  },
  lie('a broken note with escapes', 'list', () => said.adds(`broken ${escapes}\n`)),
  lie('a list that hangs', 'list', () => said.hangs),
  lie('a list without a status', 'list', () => withoutStatus),
  lie('bytes that are no text', 'list', ({ random }) => saysBytes(random.bytes(100_000))),
];

const onWatch: readonly Lie[] = [
  breach('a watch line that never ends', 'watch', () => said.endlessLine),
  breach('a flood of events', 'watch', floodOfEvents),
  breach('a flood of words that mean nothing', 'watch', () => said.repeats('alive')),
  breach('a flood of errors', 'watch', () => said.endlessErrors),
  ofOthers(
    breach(
      'ends of containers of others',
      'watch',
      watched((uuid) => `ended ${uuid} 1`),
    ),
  ),
  ofOthers(
    breach(
      'starts of containers of others',
      'watch',
      watched((uuid) => `started ${uuid} 1`),
    ),
  ),
  breach('an interruption notice of megabytes', 'watch', () =>
    said.saysAndWaits(`attached\ninterruption ${escapes.repeat(200_000)}\n`),
  ),
  lie('wrong attempts of its own containers', 'watch', ({ given, random }) =>
    said.saysAndWaits(
      `attached\n${lines([...given], (uuid) => `ended ${uuid} ${random.whole(2, 999_999_999)}\nstarted ${uuid} 0`)}`,
    ),
  ),
  lie('an interruption notice with escapes', 'watch', () =>
    said.saysAndWaits(`attached\ninterruption ${escapes}\n`),
  ),
  lie('a watch that ends at once', 'watch', () => said.says('attached\n')),
  lie('a watch without a status', 'watch', () => withoutStatus),
  lie('a watch that says nothing', 'watch', () => said.hangs),
];

const onCollect: readonly Lie[] = [
  breach('a result that never ends', 'collect', () => said.endlessLine),
  lie('a collect that hangs', 'collect', () => said.hangs),
  lie('the result of another', 'collect', (view) => forged({ uuid: view.others[0] ?? madeUp(view) })),
  lie('a wrong attempt', 'collect', ({ random }) => forged({ attempt: random.whole(2, 1_000_000) })),
  lie('wrong times', 'collect', ({ random }) =>
    forged({
      startedAt: Number.MAX_SAFE_INTEGER,
      finishedAt: random.whole(0, 1),
      durationMs: Number.MAX_SAFE_INTEGER,
      endedAgoMs: Number.MAX_SAFE_INTEGER,
    }),
  ),
  lie('a note of megabytes with escapes', 'collect', () => forged({ note: escapes.repeat(MiB / 8) })),
  lie('no result but escapes', 'collect', () => said.says(escapes.repeat(1_000))),
  lie('a nested result', 'collect', () => said.says('['.repeat(500_000))),
  lie('a result without a status', 'collect', () => withoutStatus),
];

const onTheRest: readonly Lie[] = [
  breach('errors of a start that never end', 'start', () => said.endlessErrors),
  breach('output of a start that never ends', 'start', () => said.endlessLine),
  lie('a start that hangs', 'start', () => said.hangs),
  lie('a start without a status', 'start', () => withoutStatus),
  lie('a refused start with escapes', 'start', () => said.says(escapes, 71)),
  lie('a discard that hangs', 'discard', () => said.hangs),
  lie('a kill that hangs', 'kill', () => said.hangs),
  lie('a kill without a status', 'kill', () => withoutStatus),
  lie('output that never ends', 'tail', () => said.endlessLine),
  lie('output of others', 'tail', () => said.says('forged\n'.repeat(1_000))),
];

/** Before it is in service: after it proved itself, but for the secret. */
const onBoot: readonly Lie[] = [
  breach('a checksum that never ends', 'checksum', () => said.endlessLine),
  breach('errors of a checksum that never end', 'checksum', () => said.endlessErrors),
  lie('a wrong checksum with escapes', 'checksum', () => said.says(`${'0'.repeat(32)}  ${escapes}\n`)),
  lie('a checksum that hangs', 'checksum', () => said.hangs),
  lie('an installation without a status', 'install', () => withoutStatus),
  lie('a boot probe that never ends', 'other', () => said.endlessLine),
  lie('a boot probe without a status', 'other', () => withoutStatus),
  lie('a secret that never ends', 'secret', () => said.endlessLine),
];

/** All there are, but for those that take the whole server: see {@link whileConnected}. */
export const allLies: readonly Lie[] = [...onList, ...onWatch, ...onCollect, ...onTheRest, ...onBoot];

/** What is done to connections, whatever was asked. */
export const whileConnected = {
  newHostKey: 'a new host key on reconnecting',
  hangsUp: 'a connection that is dropped again and again',
} as const;

/** Claims what was never given to it, with a result ready: what is said of others has to be collected to do harm. */
export const forgedResult: Behaviour = forged({});

function forged(more: Record<string, unknown>): Behaviour {
  return (request, honest) => {
    const command = parseStubCommand(request.command);
    const uuid = 'uuid' in command ? command.uuid : '';
    const stdout = Buffer.from('forged\n');
    const header = {
      uuid,
      exitCode: 0,
      startedAt: 1,
      finishedAt: 2,
      stdoutBytes: stdout.length,
      stderrBytes: 0,
      timedOut: false,
      truncated: false,
      lost: false,
      attempt: 1,
      note: '',
      ...more,
    };
    return said.says(`${JSON.stringify(header)}\n${stdout.toString('base64')}\n\n`)(request, honest);
  };
}

/** The channel closes, and how the command ended is not said. */
const withoutStatus: Behaviour = async ({ stdout, signal }) => {
  const channel = stdout as ServerChannel;
  channel.end();
  channel.close();
  if (!signal.aborted) await once(signal, 'abort');
  return 1;
};

function saysBytes(bytes: Uint8Array): Behaviour {
  return async ({ stdout }) => {
    await written(stdout, bytes);
    return 0;
  };
}

function watched(line: (uuid: string) => string): Lie['tell'] {
  return (view) =>
    async ({ stdout, signal }) => {
      await written(stdout, 'attached\n');
      while (!signal.aborted) {
        await written(stdout, lines(view.others.slice(-200), line));
        await new Promise((resolve) => setTimeout(resolve, view.random.between(20, 500)));
      }
      return 1;
    };
}

/** As many as the connection takes, of containers that never were. */
function floodOfEvents({ clusterId, random }: LiarView): Behaviour {
  return async ({ stdout, signal }) => {
    await written(stdout, 'attached\n');
    for (let number = 0; !signal.aborted; number++) {
      const uuid = `${clusterId}-dz642-${String(number).padStart(15, '0')}`;
      const event = random.chance(0.5) ? `ended ${uuid} 1\n` : `started ${uuid}\n`;
      await written(stdout, event.repeat(random.whole(1, 100)));
    }
    return 1;
  };
}

function lines(uuids: readonly string[], line: (uuid: string) => string): string {
  return uuids.map((uuid) => `${line(uuid)}\n`).join('');
}

/** From `least` to 100,000 lines, each number of digits as likely as the others. */
function listOfAnySize({ random, clusterId }: LiarView, least: number): string {
  const count = Math.floor(10 ** random.between(Math.log10(least), 5));
  return said.madeUpIds(count, random.pick(['', 'ended', 'stale']), clusterId);
}

const madeUp = ({ clusterId, random }: LiarView): string => `${clusterId}-dz642-${random.hex(15)}`;

function written(stream: Writable, text: string | Uint8Array): Promise<void> {
  if (stream.write(text)) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    stream.once('drain', done).once('close', done).once('error', done);
  });
}
