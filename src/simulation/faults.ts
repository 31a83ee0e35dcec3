import type { SeededRandom } from './seeded-random.js';

/**
 * What can go wrong, or be asked for at a bad moment. Beside each: what `amount` means, and whether it lasts.
 */
const kinds = {
  /** The process dies at a call, `amount` calls later; `pick` above a half: after the call had its effect. */
  'daemon-crash': { forMs: [1_000, 180_000], amount: [0, 30], weight: 3 },
  /** It is stopped in good order and started again after a while. */
  'daemon-restart': { forMs: [500, 60_000], amount: [0, 0], weight: 1 },
  /** It stands still, `amount` calls later, as under SIGSTOP; another takes its place when that lasts. */
  'daemon-pause': { forMs: [1_000, 180_000], amount: [0, 30], weight: 2 },
  /** Its clock is set `amount` ms ahead, or back. */
  'clock-step': { forMs: [0, 0], amount: [-7_200_000, 7_200_000], weight: 1 },
  /** Share of calls to the provider that fail. */
  'api-failures': { forMs: [60_000, 1_800_000], amount: [0.1, 1], weight: 2 },
  /** Share of calls that work and whose answer never arrives. */
  'api-lost-replies': { forMs: [60_000, 1_800_000], amount: [0.1, 0.7], weight: 2 },
  /** Answers come up to `amount` ms late. */
  'api-late-replies': { forMs: [60_000, 1_800_000], amount: [1_000, 400_000], weight: 1 },
  /** Others used up the calls of the account. */
  'api-throttled': { forMs: [0, 0], amount: [0, 0], weight: 1 },
  /** Lists lag `amount` ms behind. */
  'list-lag': { forMs: [60_000, 1_800_000], amount: [5_000, 45_000], weight: 2 },
  /** Share of instances that lists leave out, each for 45 s at most. */
  'list-gaps': { forMs: [60_000, 1_800_000], amount: [0.05, 0.5], weight: 2 },
  /** The account may have no more than `amount` instances. */
  'quota-drop': { forMs: [300_000, 7_200_000], amount: [1, 8], weight: 2 },
  /** There are no more instances of one type. */
  'no-capacity': { forMs: [300_000, 7_200_000], amount: [0, 0], weight: 2 },
  /** The provider takes one instance back, with a notice. */
  interruption: { forMs: [0, 0], amount: [0, 0], weight: 2 },
  /** It takes one away without a word. */
  vanish: { forMs: [0, 0], amount: [0, 0], weight: 2 },
  /** One machine cannot be reached. */
  silence: { forMs: [5_000, 1_500_000], amount: [0, 0], weight: 3 },
  /** No machine can be reached. */
  blackout: { forMs: [5_000, 480_000], amount: [0, 0], weight: 1 },
  /** Share of commands that never reach their machine. */
  'lost-commands': { forMs: [60_000, 1_800_000], amount: [0.02, 0.4], weight: 1 },
  /** Share of commands whose answer is lost. */
  'lost-answers': { forMs: [60_000, 1_800_000], amount: [0.02, 0.4], weight: 2 },
  /** Nothing can be run on one machine any more. */
  'broken-machine': { forMs: [0, 0], amount: [0, 0], weight: 1 },
  /** One machine says that it is broken. */
  'broken-report': { forMs: [0, 0], amount: [0, 0], weight: 1 },
  /** Share of processes on one machine whose runner dies. */
  'runner-crashes': { forMs: [600_000, 7_200_000], amount: [0.2, 1], weight: 2 },
  /** The locks of processes that ended on one machine are never free. */
  'stuck-locks': { forMs: [600_000, 7_200_000], amount: [0.2, 1], weight: 1 },
  /** Processes on one machine need `amount` ms to obey a TERM. */
  'slow-kills': { forMs: [600_000, 7_200_000], amount: [1_000, 300_000], weight: 1 },
  /** New machines take `amount` times as long to come up. */
  'slow-boots': { forMs: [600_000, 7_200_000], amount: [2, 40], weight: 1 },
  /** Share of new machines that never come up. */
  'dead-boots': { forMs: [600_000, 7_200_000], amount: [0.3, 1], weight: 1 },
  /** Share of start commands that say they failed, and did not. */
  'lying-starts': { forMs: [600_000, 7_200_000], amount: [0.1, 1], weight: 2 },
  /** Share of lists in which one machine says what is not so. */
  'lying-lists': { forMs: [60_000, 1_800_000], amount: [0.05, 1], weight: 2 },
  /** Another machine answers at the address of one. */
  impostor: { forMs: [5_000, 1_500_000], amount: [0, 0], weight: 1 },
  /** The store takes no call. */
  'store-outage': { forMs: [1_000, 300_000], amount: [0, 0], weight: 2 },
  'operator-hold': { forMs: [0, 0], amount: [0, 0], weight: 2 },
  'operator-drain': { forMs: [0, 0], amount: [0, 0], weight: 2 },
  'operator-run': { forMs: [0, 0], amount: [0, 0], weight: 2 },
  'operator-kill': { forMs: [0, 0], amount: [0, 0], weight: 1 },
  /** An owner cancels a container. */
  'owner-cancel': { forMs: [0, 0], amount: [0, 0], weight: 2 },
  /** An owner sets the priority of a container to 0, and back. */
  'owner-pause': { forMs: [60_000, 7_200_000], amount: [0, 0], weight: 2 },
  /** An owner gives a container another priority, `amount`. */
  'owner-priority': { forMs: [0, 0], amount: [1, 2_000], weight: 2 },
} satisfies Record<string, FaultShape>;

interface FaultShape {
  forMs: [number, number];
  amount: [number, number];
  weight: number;
}

export type FaultKind = keyof typeof kinds;
export const faultKinds = Object.keys(kinds) as FaultKind[];

/** One thing that goes wrong. Plain data: a list of them is what a failing run is shrunk by. */
export interface Fault {
  /** Its place in the list of its seed. */
  number: number;
  kind: FaultKind;
  /** Ms from the start. */
  atMs: number;
  /** 0: a moment. */
  forMs: number;
  amount: number;
  /** From 0 to 1: which of those it could hit it hits. */
  pick: number;
}

export interface FaultPlan {
  hours: number;
  /** On average. */
  perHour: number;
  /** Default: all. */
  kinds?: readonly FaultKind[];
}

/** The same plan and the same chance give the same faults. */
export function generateFaults(plan: FaultPlan, random: SeededRandom): Fault[] {
  const { hours, perHour, kinds: among = faultKinds } = plan;
  const faults: Fault[] = [];
  if (perHour <= 0) return faults;
  for (let atMs = random.exponential(3_600_000 / perHour); atMs < hours * 3_600_000;) {
    const kind = pickKind(among, random);
    const { forMs, amount } = kinds[kind];
    faults.push({
      number: faults.length,
      kind,
      atMs: Math.round(atMs),
      forMs: Math.round(logBetween(forMs, random)),
      amount: Number(random.between(...amount).toPrecision(6)),
      pick: random.next(),
    });
    atMs += random.exponential(3_600_000 / perHour);
  }
  return faults;
}

/** Short times are as likely as long ones. */
function logBetween([least, most]: [number, number], random: SeededRandom): number {
  return least <= 0 ? 0 : least * (most / least) ** random.next();
}

function pickKind(among: readonly FaultKind[], random: SeededRandom): FaultKind {
  let left = random.next() * among.reduce((sum, kind) => sum + kinds[kind].weight, 0);
  for (const kind of among) {
    left -= kinds[kind].weight;
    if (left < 0) return kind;
  }
  return among.at(-1)!;
}
