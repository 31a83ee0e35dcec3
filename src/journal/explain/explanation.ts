/** The explanation of one instance or container, as text. */
export interface Explanation {
  kind: 'instance' | 'container';
  id: string;
  /** The current state, its cause, what ends it and when: sentences, the most important first. */
  lines: string[];
  /** The history: one sentence per event, oldest first. */
  history: Narration[];
}

export interface Narration {
  /** Epoch ms. */
  at: number;
  text: string;
}
