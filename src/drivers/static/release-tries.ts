import type { Quarantine } from '../../domain/instance.js';
import { DriverError } from '../driver.js';
import type { Assignment } from './assignments.js';

/** After the first failure; each further pause is twice as long. */
const firstPauseMs = 10_000;

/** The quarantine that the host is in; `undefined`: none. */
export function quarantineOf({ release }: Assignment): Quarantine | undefined {
  if (release?.quarantinedAt === undefined) return undefined;
  return { at: release.quarantinedAt, because: release.because };
}

/** Why the release is not tried now; `undefined`: it may be. */
export function mayNotTry({ release, address }: Assignment, now: number): DriverError | undefined {
  if (!release || now >= release.nextAt) return undefined;
  const { failures, nextAt, because } = release;
  const seconds = Math.ceil((nextAt - now) / 1_000);
  const text = `the release of host ${address} failed ${times(failures)} and is tried again in ${seconds} s: ${because}`;
  return new DriverError('unavailable', text);
}

/** The assignment with one more failure counted, in quarantine when these were `most`. */
export function afterFailure(assignment: Assignment, because: string, now: number, most: number): Assignment {
  const failures = (assignment.release?.failures ?? 0) + 1;
  const nextAt = now + firstPauseMs * 2 ** (failures - 1);
  if (failures < most) return { ...assignment, release: { failures, nextAt, because } };
  const text = `its release failed ${times(failures)}: ${because}`;
  return { ...assignment, release: { failures, nextAt, because: text, quarantinedAt: now } };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
