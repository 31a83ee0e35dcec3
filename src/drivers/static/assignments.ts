import * as z from 'zod';
import { DriverError } from '../driver.js';

const assignment = z.object({
  id: z.string(),
  /** Of the host, which also names it in the inventory. */
  address: z.string(),
  user: z.string(),
  type: z.string(),
  /** Base64 of each key the host may show. */
  hostKeys: z.array(z.string()),
  tags: z.record(z.string(), z.string()),
  /** Idempotency token of the create call. */
  wish: z.string(),
  /** What came of releasing it so far; not there: nothing failed. Times in epoch ms. */
  release: z
    .object({
      failures: z.int(),
      /** Not tried again before. */
      nextAt: z.number(),
      because: z.string(),
      /** Since then it is in quarantine: not tried again by itself. */
      quarantinedAt: z.number().optional(),
    })
    .optional(),
});

const file = z.object({
  nextNumber: z.int(),
  /** Oldest first. */
  assigned: z.array(assignment),
  /** Addresses of hosts that were in use, the one that was released first in front. */
  released: z.array(z.string()),
});

/** A host in use, with what was known of it then: it may have left the inventory since. */
export type Assignment = z.infer<typeof assignment>;
/** Which hosts are in use. */
export type Assignments = z.infer<typeof file>;

/** Throws {@link DriverError} `invalid` for a text that {@link writeAssignments} did not make. */
export function readAssignments(text: string | undefined): Assignments {
  if (text === undefined) return { nextNumber: 1, assigned: [], released: [] };
  try {
    return file.parse(JSON.parse(text));
  } catch (cause) {
    throw new DriverError('invalid', 'the record of the hosts in use is damaged', {
      cause,
      remedy: 'remove it; containers that still run on these hosts are then not known any more',
    });
  }
}

export function writeAssignments(assignments: Assignments): string {
  return JSON.stringify(assignments);
}
