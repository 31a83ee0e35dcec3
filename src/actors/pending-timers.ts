import type { AnyActorRef } from 'xstate';

/** A time limit of a state, or a delayed event, that runs now. */
export interface PendingTimer {
  /** The delay's name in the machine, or the type of the event that is to come. */
  name: string;
  /** State it belongs to, such as `lifecycle.idle`; `''` when it is a delayed event. */
  state: string;
  delayMs: number;
  /** Epoch ms. */
  startedAt: number;
  firesAt: number;
}

interface Scheduled {
  source: { sessionId: string };
  event: { type: string };
  delay: number;
  startedAt: number;
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
