import type { Slots } from '../ssh/slots.js';

/** Does the work when a slot is free, and frees it afterwards, however the work ends (K-38). */
export async function inTurn<T>(slots: Slots, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  await slots.take(signal);
  try {
    return await work();
  } finally {
    slots.release();
  }
}
