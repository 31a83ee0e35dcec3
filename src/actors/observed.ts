import type { AnyStateMachine, EventObject, SnapshotFrom } from 'xstate';

/** Called after each event a machine took, with the snapshots around it. Must not throw and must not send events. */
export type TransitionObserver<TMachine extends AnyStateMachine> = (
  event: EventObject,
  before: SnapshotFrom<TMachine>,
  after: SnapshotFrom<TMachine>,
) => void;

/**
 * The same machine, with an observer told of every event it takes: the cheap alternative to XState's inspection, which
 * costs a third of the event rate.
 */
export function observed<TMachine extends AnyStateMachine>(
  machine: TMachine,
  observe: TransitionObserver<TMachine>,
): TMachine {
  const watched = Object.create(machine) as TMachine;
  watched.transition = (snapshot, event, scope) => {
    const after = machine.transition(snapshot, event, scope) as SnapshotFrom<TMachine>;
    observe(event as EventObject, snapshot as SnapshotFrom<TMachine>, after);
    return after as never;
  };
  return watched;
}
