/** What a daemon is among those that share its store. */
export interface Role {
  state: 'leading' | 'standing by' | 'waiting for the store';
  /** Who leads, as far as this daemon knows. */
  leader: { name: string; url: string } | undefined;
  /** Of this daemon's own leading; else the last one it saw. 0 for a store of one daemon alone. */
  epoch: number;
  /** What is wrong, with the remedy; `undefined` when all is well. */
  fault: string | undefined;
}
