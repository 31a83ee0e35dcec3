/** What a test of a configured cloud looks at, in this order. */
export const stepNames = [
  'list',
  'leftovers',
  'create',
  'listed',
  'address',
  'tags',
  'set tags',
  'login',
  'boot probe',
  'command',
  'look around',
  'destroy',
] as const;
export type StepName = (typeof stepNames)[number];

/** One step that was taken. */
export interface StepReport {
  step: StepName;
  /** `''`: the provider chose. */
  zone: string;
  ok: boolean;
  durationMs: number;
  /** What was found, or what is wrong and what to do. */
  detail: string;
}

export interface CloudTestReport {
  ok: boolean;
  driver: string;
  instanceType: string;
  steps: StepReport[];
  /** Ids of instances that may still be there. */
  left: string[];
}

/** How to get into the instance under test. */
export interface LoginHint {
  host: string;
  port: number;
  user: string;
  /** As it was shown, and accepted. */
  hostKey: Uint8Array;
}

export interface CloudTestCommand {
  type: string;
  image: string;
  setId: string;
  destroyExisting: boolean;
  command: string;
  /** Waits until the operator presses Enter. */
  pause: ((login: LoginHint, signal: AbortSignal) => Promise<void>) | undefined;
  /** Opens a shell on the instance instead of the pause. */
  shell: boolean;
  begun(text: string): void;
  done(report: StepReport): void;
  said(line: string): void;
}
