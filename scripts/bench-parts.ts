// What several scenarios of scripts/bench need.
import { readFileSync } from 'node:fs';
import { noGpu, type InstanceType } from '../src/domain/instance-type.js';

/** One line of JSON for each scenario. */
export function print(scenario: string, figures: Record<string, number | string>): void {
  console.log(JSON.stringify({ scenario, ...figures }));
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

export function typeOf(vcpus: number): InstanceType {
  const bytes = vcpus * 2 ** 32;
  return {
    name: `t${vcpus}`,
    providerType: `t${vcpus}`,
    vcpus,
    ramBytes: bytes,
    scratchBytes: bytes,
    includedScratchBytes: bytes,
    addedScratchBytes: 0,
    price: vcpus / 10,
    preemptible: false,
    gpu: noGpu,
  };
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadlineAt = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadlineAt) throw new Error('the bench waited too long');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Processor time of the main thread, ms. As Linux counts it: that thread has the number of the process. */
export function threadTimeMs(): number {
  const [running = ''] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(running) / 1e6;
}

/** Notes the processor time of each turn of the event loop: unlike their length, others on the machine do not add to it. */
export function watchTurns(): { max(): number; reset(): void; stop(): void } {
  let [longest, from] = [0, threadTimeMs()];
  const timer = setInterval(() => {
    const to = threadTimeMs();
    longest = Math.max(longest, to - from);
    from = to;
  }, 1);
  const reset = (): void => void ([longest, from] = [0, threadTimeMs()]);
  return { max: () => longest, reset, stop: () => clearInterval(timer) };
}
