import type { VmKnobs } from '../drivers/simulated/vm-behavior.js';
import type { IdleBehavior } from '../domain/instance.js';
import type { Fault } from './faults.js';
import type { Story } from './simulated-run.js';

/** Lets a fault happen. One that finds nothing to hit does nothing. */
export function strike(story: Story, fault: Fault): void {
  const { world } = story;
  const subject = subjectOf(story, fault);
  const { number, kind, amount, forMs } = fault;
  world.note(`fault.${kind}`, { ...(subject ? { to: subject } : {}), data: { number, amount, forMs } });
  if (subject !== undefined) happen(story, fault, subject);
}

function happen(story: Story, fault: Fault, subject: string): void {
  const { world } = story;
  switch (fault.kind) {
    case 'daemon-crash':
    case 'daemon-restart':
    case 'daemon-pause':
      return endDaemon(story, fault);
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
      return spoilMachine(story, fault, subject);
    case 'operator-hold':
    case 'operator-drain':
    case 'operator-run':
      return story.order(subject, fault.kind.slice('operator-'.length) as IdleBehavior);
    case 'operator-kill':
      return story.order(subject, 'kill');
    case 'owner-cancel':
      return story.cancel(subject);
    case 'owner-pause':
      return story.pause(subject, fault.forMs);
    case 'owner-priority':
      return story.prioritise(subject, BigInt(Math.round(fault.amount)));
    default:
      return world.trouble.begin(fault, subject);
  }
}

function endDaemon(story: Story, { kind, amount, forMs, pick }: Fault): void {
  const { daemon } = story;
  if (!daemon) return;
  if (kind === 'daemon-pause') return daemon.freeze(Math.floor(amount), forMs);
  story.downMs = forMs;
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
function spoilMachine({ world }: Story, { kind, amount, forMs }: Fault, subject: string): void {
  const knobs = world.vmOf(subject);
  const change = spoiled[kind]?.(amount);
  if (!knobs || !change) return;
  const before = Object.fromEntries(Object.keys(change).map((key) => [key, knobs[key as keyof VmKnobs]]));
  Object.assign(knobs, change);
  if (forMs > 0) world.clock.setTimeout(() => Object.assign(knobs, before), forMs);
}

/** Whom it hits: an id, `''` for all, `undefined` when there is nobody. */
function subjectOf(story: Story, { kind, pick }: Fault): string | undefined {
  const { world } = story;
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
      return among(story.knownInstances());
    case 'owner-cancel':
    case 'owner-pause':
    case 'owner-priority':
      return among(story.openContainers());
    default:
      return '';
  }
}
