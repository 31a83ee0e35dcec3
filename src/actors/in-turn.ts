import type { Turns } from '../async/semaphore.js';

/** Does the work when a slot is free, and frees it afterwards, however the work ends (K-38). */
export async function inTurn<T>(turns: Turns, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const turn = await turns.take(signal);
  try {
    return await work();
  } finally {
    turn.release();
  }
}
