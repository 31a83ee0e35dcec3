/** What one scheduling pass hands to the next. */
export interface PlanMemory {
  /** 0: no limit (SC-14). */
  maxContainers: number;
  /** Known workers at the last quota error, growing with them; 0: none (SC-22). */
  instancesWithinQuota: number;
  /** Epoch ms of the last overload of the server that was heeded; 0: never (SC-20). */
  heeded503At: number;
}

export interface LimitInput {
  now: number;
  /** Containers with a live process. */
  running: number;
  totalInstances: number;
  atQuota: boolean;
  last503At: number;
}

/** The limit the first pass begins with (SC-14). */
export function initialPlanMemory(
  settings: { initialQuotaEstimate: number },
  maxInstances: number,
): PlanMemory {
  return {
    maxContainers: settings.initialQuotaEstimate || maxInstances,
    instancesWithinQuota: 0,
    heeded503At: 0,
  };
}

/** The limit of this pass: shrinks when the server is overloaded or the cloud at its quota, grows slowly (SC-20..SC-25). */
export function nextPlanMemory(memory: PlanMemory, input: LimitInput): PlanMemory {
  let { maxContainers, instancesWithinQuota, heeded503At } = memory;
  const { now, running, totalInstances, atQuota, last503At } = input;
  if (last503At > heeded503At) {
    heeded503At = last503At;
    maxContainers = Math.max(1, running - 1);
  } else if (maxContainers > 0 && (heeded503At === 0 || now - heeded503At > 60_000)) {
    maxContainers = Math.max(maxContainers, Math.floor((running * 11) / 10) + 1);
  }
  if (instancesWithinQuota > 0) instancesWithinQuota = Math.max(instancesWithinQuota, totalInstances);
  if (atQuota) {
    const present = Math.max(totalInstances, running);
    if (maxContainers === 0 || maxContainers > present) maxContainers = Math.max(1, present);
    instancesWithinQuota = totalInstances;
  } else if (instancesWithinQuota > 0) {
    maxContainers = Math.min(maxContainers, Math.max(instancesWithinQuota, running) + 1);
  }
  return { maxContainers, instancesWithinQuota, heeded503At };
}

/** How many workflow runners may run at once; 0: no limit (SC-26). */
export function supervisorLimit(maxContainers: number, fraction: number): number {
  if (fraction <= 0 || maxContainers === 0) return 0;
  return Math.max(1, Math.floor(maxContainers * fraction));
}
