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

/**
 * The limits of this pass (SC-20..SC-25). Containers and instances are counted apart: an overloaded server limits the
 * containers, a quota the instances, so that a full quota never keeps containers off the instances there are.
 */
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
  if (atQuota) instancesWithinQuota = totalInstances;
  return { maxContainers, instancesWithinQuota, heeded503At };
}

/** How many instances may be asked for: after a quota error one more at a time (SC-24). */
export function creatableWithinQuota(memory: PlanMemory, totalInstances: number): number {
  const { instancesWithinQuota } = memory;
  return instancesWithinQuota === 0 ? Infinity : Math.max(0, instancesWithinQuota + 1 - totalInstances);
}

/** How many workflow runners may run at once; 0: no limit (SC-26). */
export function supervisorLimit(maxContainers: number, fraction: number): number {
  if (fraction <= 0 || maxContainers === 0) return 0;
  return Math.max(1, Math.floor(maxContainers * fraction));
}
