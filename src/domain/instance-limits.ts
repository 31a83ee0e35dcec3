import type { InstanceType } from './instance-type.js';

const KiB = 1_024;

/**
 * What one instance may cost the daemon. What goes beyond it ends the channel, counts a strike, and quarantines the
 * instance where that is a breach. No setting: honest instances stay far below each of these.
 */
export const instanceLimits = {
  /** Containers on an instance that were never given to it: an earlier process may have given them. At least so many. */
  foreignIds: 64,
  /** For each vCPU of the type: so many more than {@link foreignIds} on large ones. */
  foreignIdsPerVcpu: 2,
  /** Such ids are counted over this time. */
  foreignWindowMs: 600_000,
  /** One line of a stream that the daemon follows. */
  lineBytes: 4 * KiB,
  /** Of a stream that the daemon follows, in the long run, and at once. */
  streamBytesPerSecond: 32 * KiB,
  streamBurstBytes: 512 * KiB,
  streamLinesPerSecond: 500,
  streamBurstLines: 5_000,
  /** Containers that were given to an instance, and are remembered. */
  givenIds: 1_024,
  /** Output of a command, by what it is for. The result of a container has its own limit, `runner.logLimit`. */
  outputBytes: {
    secret: 4 * KiB,
    bootProbe: 64 * KiB,
    install: 16 * KiB,
    list: 256 * KiB,
    start: 64 * KiB,
    kill: 16 * KiB,
    discard: 16 * KiB,
  },
  /** Characters of an error or a note that are kept. */
  textLength: 1_000,
  /** Journal entries about one instance, each minute: steps for replay go first. */
  journalStepBytesPerMinute: 192 * KiB,
  journalBytesPerMinute: 320 * KiB,
  /** So many strikes within this time are a breach. */
  strikes: 10,
  strikeWindowMs: 600_000,
} as const;

/** How many containers that were never given to an instance of this type are taken up. */
export function mostForeignIds({ vcpus }: Pick<InstanceType, 'vcpus'>): number {
  return Math.max(instanceLimits.foreignIds, instanceLimits.foreignIdsPerVcpu * vcpus);
}

/**
 * What an instance did. `list`: too many containers that it was never given; `line`, `rate`, `output`: too long, too
 * fast, too much; `claim`: a container of another instance or attempt; `collect`: a result that it does not hand over;
 * `host-key`: another host key than before.
 */
export const strikeKinds = ['list', 'line', 'rate', 'output', 'claim', 'collect', 'host-key'] as const;
export type StrikeKind = (typeof strikeKinds)[number];
