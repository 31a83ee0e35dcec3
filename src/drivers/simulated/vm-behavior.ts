/** How the simulated provider behaves; may be changed while it runs. Rates from 0 to 1, 0 switches a fault off. */
export interface CloudKnobs {
  createErrorRate: number;
  destroyErrorRate: number;
  /** Share of create calls that work and whose answer never arrives. */
  lostReplyRate: number;
  /** From the instance's existence to the answer of its create call. */
  createDelayMs: number;
  /** From an accepted destroy, once nothing runs on it any more, to the instance's end. */
  destroyDelayMs: number;
  /** From the instance's existence to the moment it gets its address. */
  addressDelayMs: number;
  /** How far lists lag behind the truth: new, gone and retagged instances show so much later. */
  listLagMs: number;
  /** A call that comes sooner after the last accepted one is a rate-limit error. */
  minTimeBetweenCreatesMs: number;
  minTimeBetweenListsMs: number;
  /** One more is a quota error; 0: no bound. */
  maxInstances: number;
  /** Of each preemptible instance, on average. */
  interruptionsPerHour: number;
  /** From the notice of an interruption to the instance's end. */
  interruptionNoticeMs: number;
  /** How often spot prices change. */
  priceIntervalMs: number;
}

export const faultlessCloud: CloudKnobs = {
  createErrorRate: 0,
  destroyErrorRate: 0,
  lostReplyRate: 0,
  createDelayMs: 0,
  destroyDelayMs: 0,
  addressDelayMs: 0,
  listLagMs: 0,
  minTimeBetweenCreatesMs: 0,
  minTimeBetweenListsMs: 0,
  maxInstances: 0,
  interruptionsPerHour: 0,
  interruptionNoticeMs: 120_000,
  priceIntervalMs: 3_600_000,
};

/** How one simulated machine behaves. Times count from its start; `undefined`: never. */
export interface VmKnobs {
  /** Before it every command exits with 1. */
  bootMs: number;
  /** From then on every command exits with 2. */
  brokenAfterMs: number | undefined;
  /** From then on the runner says that the machine is broken. */
  reportBrokenAfterMs: number | undefined;
  /** Commands that name the runner program exit with 1. */
  runnerMissing: boolean;
  /** Share of containers whose runner dies; half of them before the container's start is told, half after. */
  crashRate: number;
  /** From a container's start to the answer of the start command. */
  detachDelayMs: number;
  /** The most an ended container's lock stays held. */
  lockLagMs: number;
  /** Share of ended containers whose lock is held for ever. */
  deadlockRate: number;
  /** From a TERM to the container's end. */
  killDelayMs: number;
  /** The runner keeps results to be collected, and can be watched, as Longshore's own does. */
  keepsResults: boolean;
  /** A watch hears a word now and then, whatever happens. */
  beats: boolean;
}

export const faultlessVm: VmKnobs = {
  bootMs: 0,
  brokenAfterMs: undefined,
  reportBrokenAfterMs: undefined,
  runnerMissing: false,
  crashRate: 0,
  detachDelayMs: 0,
  lockLagMs: 0,
  deadlockRate: 0,
  killDelayMs: 0,
  keepsResults: true,
  beats: true,
};
