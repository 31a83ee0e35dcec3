/** An account of one instance or container, for people. */
export interface Explanation {
  kind: 'instance' | 'container';
  id: string;
  /** How it is now and why, what ends that and when: sentences, the most important first. */
  lines: string[];
  /** How it came to be so: one sentence for each thing that happened, oldest first. */
  story: Told[];
}

export interface Told {
  /** Epoch ms. */
  at: number;
  text: string;
}
