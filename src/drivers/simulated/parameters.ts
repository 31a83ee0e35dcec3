import * as z from 'zod';
import { DriverError } from '../driver.js';
import { faultlessCloud, faultlessVm } from './vm-behavior.js';

const rate = (value: number) => z.number().min(0).max(1).default(value);
const ms = (value: number) => z.number().min(0).default(value);
const scope = z.enum(['type', 'group', 'all']);

export const simulatedSchema = z.strictObject({
  createErrorRate: rate(faultlessCloud.createErrorRate),
  destroyErrorRate: rate(faultlessCloud.destroyErrorRate),
  lostReplyRate: rate(faultlessCloud.lostReplyRate),
  createDelayMs: ms(faultlessCloud.createDelayMs),
  destroyDelayMs: ms(faultlessCloud.destroyDelayMs),
  addressDelayMs: ms(faultlessCloud.addressDelayMs),
  listLagMs: ms(faultlessCloud.listLagMs),
  minTimeBetweenCreatesMs: ms(faultlessCloud.minTimeBetweenCreatesMs),
  minTimeBetweenListsMs: ms(faultlessCloud.minTimeBetweenListsMs),
  maxInstances: z.int().min(0).default(faultlessCloud.maxInstances),
  interruptionsPerHour: z.number().min(0).default(faultlessCloud.interruptionsPerHour),
  interruptionNoticeMs: ms(faultlessCloud.interruptionNoticeMs),
  priceIntervalMs: z.number().min(1_000).default(faultlessCloud.priceIntervalMs),
  /** Provider types there are none of, and how far that reaches. */
  noCapacity: z.record(z.string(), scope).default({}),
  /** How long a pretended container runs. */
  containerMs: ms(10_000),
  bootMs: ms(faultlessVm.bootMs),
  crashRate: rate(faultlessVm.crashRate),
  detachDelayMs: ms(faultlessVm.detachDelayMs),
  lockLagMs: ms(faultlessVm.lockLagMs),
  deadlockRate: rate(faultlessVm.deadlockRate),
  killDelayMs: ms(faultlessVm.killDelayMs),
});

export type SimulatedParameters = z.output<typeof simulatedSchema>;

/** Throws {@link DriverError} `invalid` naming each field that is wrong. */
export function parseSimulatedParameters(parameters: unknown): SimulatedParameters {
  const parsed = simulatedSchema.safeParse(parameters ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${['driverParameters', ...path].join('.')}: ${message}`,
  );
  throw new DriverError('invalid', faults.join('; '), {
    remedy: 'see the documentation of the simulated driver for its parameters',
  });
}
