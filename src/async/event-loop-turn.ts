/** Resolves after other work had a turn: for pauses in long work, since the embedded database uses this thread. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
