/** The steps of a cloud test, in order. */
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

/** A completed step. */
export interface StepReport {
  step: StepName;
  /** `''`: chosen by the provider. */
  zone: string;
  ok: boolean;
  durationMs: number;
  /** The finding, or the problem and its remedy. */
  detail: string;
}

export interface CloudTestReport {
  ok: boolean;
  driver: string;
  instanceType: string;
  steps: StepReport[];
  /** Ids of instances that may still exist. */
  left: string[];
}

/** How to log in to the tested instance. */
export interface LoginHint {
  host: string;
  port: number;
  user: string;
  /** As presented and accepted. */
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
