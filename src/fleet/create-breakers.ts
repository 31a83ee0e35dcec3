import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { BreakerSettings } from './circuit-breakers.js';

export interface CreateBreakerOptions {
  quotaHoldOffMs: number;
  capacityHoldOffMs: number;
  /** How long a create call may take. */
  trialTimeoutMs: number;
  /** Consecutive failed boots that open the breakers of boots; 0: none do. */
  bootFailureLimit: number;
  bootFailureHoldOffMs: number;
  /** Longer than a boot may take. */
  bootTrialTimeoutMs: number;
}

/** What was asked for, where, and by which call. */
export interface CreateRequest {
  launchId: string;
  instanceType: InstanceType;
  /** Not given or `''`: the provider chooses. */
  zone?: string;
}

/** Protected mode: boots fail whatever the type. */
export const allBoots = 'boot: all';
export const quota = 'quota';
export const createPace = 'create pace';
export const listPace = 'list pace';
/** Up to this the breakers of quota and capacity double their time with each failed trial. */
export const longestProviderHoldMs = 1_800_000;
const longestBootHoldMs = 86_400_000;
const createFailuresToOpen = 3;
const firstCreateFailureMs = 1_000;
const longestCreateFailureMs = 60_000;
/** Codes of failed calls that say nothing of the type. */
const ofNoType: ReadonlySet<string> = new Set(['aborted', 'rate-limited', 'quota']);

/**
 * Returns the settings of each breaker that guards create calls: quota, capacity and pace open at the first refusal,
 * failed boots and failed create calls after several in a row, so that a broken image, network or permission costs few
 * instances.
 */
export function createBreakerSettings(options: CreateBreakerOptions): (key: string) => BreakerSettings {
  const { trialTimeoutMs } = options;
  const atOnce = { failuresToOpen: 1, trialTimeoutMs };
  return (key) => {
    switch (/^[^:]*/.exec(key)![0]) {
      case 'boot':
        return {
          failuresToOpen: options.bootFailureLimit,
          firstOpenMs: options.bootFailureHoldOffMs,
          longestOpenMs: longestBootHoldMs,
          trialTimeoutMs: options.bootTrialTimeoutMs,
          describe: (failures) => bootReason(key, failures),
        };
      case 'failing':
        return {
          failuresToOpen: createFailuresToOpen,
          firstOpenMs: firstCreateFailureMs,
          longestOpenMs: longestCreateFailureMs,
          trialTimeoutMs,
        };
      case 'capacity':
        return { ...atOnce, firstOpenMs: options.capacityHoldOffMs, longestOpenMs: longestProviderHoldMs };
      case quota:
        return { ...atOnce, firstOpenMs: options.quotaHoldOffMs, longestOpenMs: longestProviderHoldMs };
      default:
        return { ...atOnce, firstOpenMs: 0, longestOpenMs: 0 };
    }
  };
}

function bootReason(key: string, failures: number): string {
  const what = key === allBoots ? 'instances' : `instances of ${key.slice('boot: '.length)}`;
  return `${failures} ${what} in a row failed to boot: "longshore explain" of the last one shows why`;
}

export function bootKey(type: InstanceType): string {
  return `boot: type ${type.name}`;
}

/** Keys of the breakers that the boot of the instance decides. */
export function bootKeys(type: InstanceType): string[] {
  return [allBoots, bootKey(type)];
}

/** Key of create calls that fail for another reason than what the provider has; one for each type of the provider. */
export function failingKey({ providerType, preemptible }: InstanceType): string {
  return `failing: type ${providerType}${preemptible ? '-preemptible' : ''}`;
}

/** What a failed create call says of its type: `undefined` is nothing. */
export function typeOutcome({ code }: CloudFailure): 'failed' | 'succeeded' | undefined {
  if (ofNoType.has(code)) return undefined;
  return code === 'capacity' ? 'succeeded' : 'failed';
}

export function capacityTypeKey({ providerType, preemptible }: InstanceType, zone: string): string {
  return `capacity: type ${providerType}${preemptible ? '-preemptible' : ''}${zone === '' ? '' : ` in ${zone}`}`;
}

export function capacityZoneKey(zone: string): string {
  return `capacity: zone ${zone}`;
}
