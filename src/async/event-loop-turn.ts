/** Resolves after others had their turn: between two parts of long work, as the embedded database works on this thread. */
export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
