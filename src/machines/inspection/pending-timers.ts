import type { AnyActorRef } from 'xstate';
import type { Clock } from '../../domain/clock.js';

/** A time limit of a state, or a delayed event, that runs now. */
export interface PendingTimer {
  /** The delay's name in the machine, or the type of the event that is to come. */
  name: string;
  /** State it belongs to, such as `lifecycle.idle`; `''` when it is a delayed event. */
  state: string;
  delayMs: number;
  /** Epoch ms, by the clock of {@link stampTimers}. */
  startedAt: number;
  firesAt: number;
}

interface Scheduled {
  source: { sessionId: string };
  event: { type: string };
  delay: number;
  startedAt: number;
}

interface Internals {
  _snapshot: { _scheduledEvents: Record<string, Scheduled> };
  scheduler: { schedule: Schedule };
}

type Schedule = (source: AnyActorRef, target: AnyActorRef, event: object, delay: number, id: string) => void;

/**
 * Lets the timers of the actor, and of all in its system, be dated by the clock they run by: XState dates them by the
 * time of day, which may be set, and which a simulation does not know. To be called before the actor is started.
 */
export function stampTimers(actor: AnyActorRef, clock: Pick<Clock, 'now'>): void {
  const { scheduler, _snapshot: state } = actor.system as unknown as Internals;
  const { schedule } = scheduler;
  scheduler.schedule = (source, target, event, delay, id) => {
    schedule(source, target, event, delay, id);
    const scheduled = state._scheduledEvents[`${source.sessionId}.${id}`];
    if (scheduled) scheduled.startedAt = clock.now();
  };
}

/** What an actor waits for by time, soonest first. */
export function pendingTimers(actor: AnyActorRef): PendingTimer[] {
  const { _scheduledEvents: scheduled } = actor.system.getSnapshot() as unknown as {
    _scheduledEvents: Record<string, Scheduled>;
  };
  return Object.values(scheduled)
    .filter(({ source }) => source.sessionId === actor.sessionId)
    .map(({ event, delay, startedAt }) => {
      const [, name = event.type, state = ''] =
        /^xstate\.after\.([^.]+)\.[^.]+\.?(.*)$/.exec(event.type) ?? [];
      return { name, state, delayMs: delay, startedAt, firesAt: startedAt + delay };
    })
    .sort((a, b) => a.firesAt - b.firesAt);
}
