// The liars of one seed, in a process of their own, so that their floods take no time from those who judge.
import { setPriority } from 'node:os';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { HostileClient } from '../support/hostile-client.js';
import { Liar } from './liar.js';
import { planOf } from './liar-plan.js';
import { waitedForProcessorMs } from './meter.js';

/** To this process. */
export type ToLiars =
  | { type: 'start'; id: string; number: number; initCommand: string; authorizedKey: string }
  | { type: 'stop'; id: string }
  | { type: 'others'; uuids: string[] }
  /** A stranger attacks the API from now on, or no more. */
  | { type: 'attack'; url: string }
  | { type: 'rest' };

/** From it. */
export type FromLiars =
  | { type: 'ready' }
  | { type: 'started'; id: string; address: string }
  | { type: 'failed'; id: string; message: string }
  | { type: 'stopped'; id: string }
  /** The attack on the API is over: how much was done, and the answers that are faults of the daemon. */
  | { type: 'rested'; attacks: number; faults: string[] }
  /** How long it stood ready without a processor until then. */
  | { type: 'waited'; waitedMs: number; at: number }
  /** The first of each name, and the first of each second after. */
  | { type: 'lied'; id: string; name: string; isBreach: boolean; at: number };

const [seedText = '0', clusterId = ''] = process.argv.slice(2);
const seed = Number(seedText);
const plan = planOf(seed);
const liars = new Map<string, Liar>();
let others: readonly string[] = [];

const send = (message: FromLiars): void => void process.send?.(message);

async function start({ id, number, initCommand, authorizedKey }: ToLiars & { type: 'start' }): Promise<void> {
  const random = new SeededRandom(`liars/${seed}/machine/${number}`);
  const told = new Map<string, number>();
  const liar = await Liar.start({
    plan: plan.liars[number]!,
    random,
    clusterId,
    authorizedKey,
    initCommand,
    runMs: () => random.between(500, 4_000),
    onLie: (name, isBreach) => {
      const at = Date.now();
      if (at - (told.get(name) ?? 0) < 1_000) return;
      told.set(name, at);
      send({ type: 'lied', id, name, isBreach, at });
    },
  });
  liar.hear(others);
  liars.set(id, liar);
  send({ type: 'started', id, address: liar.address });
}

const rest = new AbortController();
let attack: Promise<{ counts: Record<string, number>; faults: string[] }> | undefined;

async function endAttack(): Promise<void> {
  rest.abort();
  const { counts, faults } = (await attack) ?? { counts: {}, faults: [] };
  const attacks = Object.values(counts).reduce((sum, count) => sum + count, 0);
  send({ type: 'rested', attacks, faults });
}

process.on('message', (message: ToLiars) => {
  if (message.type === 'start') {
    start(message).catch((error: unknown) =>
      send({ type: 'failed', id: message.id, message: String(error) }),
    );
  } else if (message.type === 'stop') {
    const liar = liars.get(message.id);
    liars.delete(message.id);
    void Promise.resolve(liar?.stop()).then(() => send({ type: 'stopped', id: message.id }));
  } else if (message.type === 'attack') {
    const random = new SeededRandom(`liars/${seed}/stranger`);
    attack = new HostileClient(message.url).attack(() => random.next(), rest.signal);
  } else if (message.type === 'rest') {
    void endAttack();
  } else {
    others = message.uuids;
    for (const liar of liars.values()) liar.hear(others);
  }
});
process.on('disconnect', () => process.exit(0));
setPriority(5);
setInterval(() => send({ type: 'waited', waitedMs: waitedForProcessorMs(), at: Date.now() }), 500);
send({ type: 'ready' });
