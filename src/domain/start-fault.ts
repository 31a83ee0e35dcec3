/**
 * Whose fault a failed start is. `broken-instance`: the instance says that it can run nothing; `instance`: it failed
 * there; `occupied`: a process of an earlier start is there;
 * `line`: connection or server; `container`: it would fail anywhere; `daemon`: store, lead or a bug.
 */
export const startFaults = [
  'broken-instance',
  'instance',
  'occupied',
  'line',
  'container',
  'daemon',
] as const;
export type StartFault = (typeof startFaults)[number];
