import type { VmKnobs } from '../drivers/simulated/vm-behavior.js';
import type { IdleBehavior } from '../domain/instance.js';
import type { Fault } from './faults.js';
import type { Lifeline } from './simulated-process.js';
import type { World } from './world.js';

/** The run that a fault hits. */
export interface FaultTarget {
  readonly world: Pick<World, 'note' | 'trouble' | 'throttle' | 'cloud' | 'vmOf' | 'clock' | 'config'>;
  /** The one that leads; `undefined` while none does. */
  readonly daemon:
    | {
        freeze(afterCalls: number, forMs: number): void;
        stop(): void;
        lifeline: Pick<Lifeline, 'dieAt'>;
      }
    | undefined;
  /** How long the next process is waited for when this one ends. */
  downMs: number;
  order(instanceId: string, order: IdleBehavior | 'kill'): void;
  cancel(uuid: string): void;
  pause(uuid: string, forMs: number): void;
  prioritise(uuid: string, priority: bigint): void;
  knownInstances(): string[];
  openContainers(): string[];
}

/** Lets a fault happen. One that finds nothing to hit does nothing. */
export function strike(target: FaultTarget, fault: Fault): void {
  const { world } = target;
  const subject = subjectOf(target, fault);
  const { number, kind, amount, forMs } = fault;
  world.note(`fault.${kind}`, { ...(subject ? { to: subject } : {}), data: { number, amount, forMs } });
  if (subject !== undefined) happen(target, fault, subject);
}

function happen(target: FaultTarget, fault: Fault, subject: string): void {
  const { world } = target;
  switch (fault.kind) {
    case 'daemon-crash':
    case 'daemon-restart':
    case 'daemon-pause':
      return endDaemon(target, fault);
    case 'clock-step':
      world.trouble.skewMs += fault.amount;
      return;
    case 'api-throttled':
      return world.throttle.drain();
    case 'interruption':
      return world.cloud.interrupt(subject);
    case 'vanish':
      return world.cloud.vanish(subject);
    case 'broken-machine':
    case 'broken-report':
    case 'runner-crashes':
    case 'stuck-locks':
    case 'slow-kills':
      return spoilMachine(target, fault, subject);
    case 'operator-hold':
    case 'operator-drain':
    case 'operator-run':
      return target.order(subject, fault.kind.slice('operator-'.length) as IdleBehavior);
    case 'operator-kill':
      return target.order(subject, 'kill');
    case 'owner-cancel':
      return target.cancel(subject);
    case 'owner-pause':
      return target.pause(subject, fault.forMs);
    case 'owner-priority':
      return target.prioritise(subject, BigInt(Math.round(fault.amount)));
    default:
      return world.trouble.begin(fault, subject);
  }
}

function endDaemon(target: FaultTarget, { kind, amount, forMs, pick }: Fault): void {
  const { daemon } = target;
  if (!daemon) return;
  if (kind === 'daemon-pause') return daemon.freeze(Math.floor(amount), forMs);
  target.downMs = forMs;
  if (kind === 'daemon-restart') return daemon.stop();
  daemon.lifeline.dieAt({ afterCalls: Math.floor(amount), when: pick > 0.5 ? 'after' : 'before' });
}

const spoiled: Partial<Record<Fault['kind'], (amount: number) => Partial<VmKnobs>>> = {
  'broken-machine': () => ({ brokenAfterMs: 0 }),
  'broken-report': () => ({ reportBrokenAfterMs: 0 }),
  'runner-crashes': (amount) => ({ crashRate: amount }),
  'stuck-locks': (amount) => ({ deadlockRate: amount }),
  'slow-kills': (amount) => ({ killDelayMs: amount }),
};

/** For a while, or for good when the fault has no duration. */
function spoilMachine({ world }: FaultTarget, { kind, amount, forMs }: Fault, subject: string): void {
  const knobs = world.vmOf(subject);
  const change = spoiled[kind]?.(amount);
  if (!knobs || !change) return;
  const before = Object.fromEntries(Object.keys(change).map((key) => [key, knobs[key as keyof VmKnobs]]));
  Object.assign(knobs, change);
  if (forMs > 0) world.clock.setTimeout(() => Object.assign(knobs, before), forMs);
}

/** Whom it hits: an id, `''` for all, `undefined` when there is nobody. */
function subjectOf(target: FaultTarget, { kind, pick }: Fault): string | undefined {
  const { world } = target;
  const among = (choices: readonly string[]): string | undefined =>
    choices[Math.floor(pick * choices.length)];
  switch (kind) {
    case 'interruption':
    case 'vanish':
    case 'silence':
    case 'broken-machine':
    case 'broken-report':
    case 'runner-crashes':
    case 'stuck-locks':
    case 'slow-kills':
    case 'lying-starts':
    case 'lying-lists':
    case 'impostor':
      return among(world.cloud.instanceIds);
    case 'no-capacity':
      return among([...world.config.instanceTypes.values()].map(({ providerType }) => providerType));
    case 'operator-hold':
    case 'operator-drain':
    case 'operator-run':
    case 'operator-kill':
      return among(target.knownInstances());
    case 'owner-cancel':
    case 'owner-pause':
    case 'owner-priority':
      return among(target.openContainers());
    default:
      return '';
  }
}
