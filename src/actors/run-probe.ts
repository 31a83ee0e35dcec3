import { fromPromise } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { OnInstance, RunProbeOutcome } from '../machines/worker-effects.js';
import { instanceLimits } from '../domain/instance-limits.js';
import { idsIn, withoutIds } from '../policy/listing-limits.js';
import { parseRunnerListing } from '../runner/parse-listing.js';
import type { Executors } from '../fleet/instance-executors.js';
import { remoteFailure } from './remote-failure.js';
import { asRoot } from '../runner/remote-command.js';
import type { RunnerProgram } from '../runner/program.js';

export interface RunProbeDeps {
  executors: Executors;
  runner: RunnerProgram;
  clusterId: string;
  timeoutMs: number;
  clock: Clock;
}

const maxOutputBytes = instanceLimits.outputBytes.list;

/** Asks the runner program what runs, and tells it the prices of a spot instance (P-10..P-13). */
export const runProbeWith = ({ executors, runner, clusterId, timeoutMs, clock }: RunProbeDeps) =>
  fromPromise<RunProbeOutcome, OnInstance>(async ({ input, signal }) => {
    const startedAt = clock.now();
    try {
      const program = await runner.command(executors.of(input.instanceId));
      const { executor, instance, type } = executors.of(input.instanceId);
      const prices = instance.priceHistory.map(({ startAt, price }) => ({
        StartTime: new Date(startAt).toISOString(),
        Price: price,
      }));
      const list = prices.length > 0 ? `${program} --list --stdin-prices` : `${program} --list`;
      const stdin = prices.length > 0 ? JSON.stringify(prices) : undefined;
      const options = { stdin, timeoutMs, signal, maxOutputBytes };
      const { stdout, bootId } = await executor.run(asRoot(list, instance.remoteUser), options);
      const listing = parseRunnerListing(stdout, clusterId);
      const { conduct } = executors;
      conduct.answered(instance.id);
      return {
        ok: true,
        listing: withoutIds(listing, conduct.refusedIds(instance.id, type, idsIn(listing))),
        durationMs: clock.now() - startedAt,
        ...(bootId !== undefined && { bootId }),
      };
    } catch (error) {
      return { ...remoteFailure(error), durationMs: clock.now() - startedAt };
    }
  });
