import type { RunnerListing } from '../domain/runner-listing.js';

/** All containers that a listing names, each once. */
export function idsIn({ live, stale, ended }: RunnerListing): ReadonlySet<string> {
  return new Set([...live, ...stale, ...ended]);
}

/** The listing without the containers that are not to be taken up. The same object when that is none. */
export function withoutIds(listing: RunnerListing, refused: ReadonlySet<string>): RunnerListing {
  if (refused.size === 0) return listing;
  const isKept = (uuid: string): boolean => !refused.has(uuid);
  const { attempts } = listing;
  return {
    ...listing,
    live: listing.live.filter(isKept),
    stale: listing.stale.filter(isKept),
    ended: listing.ended.filter(isKept),
    ...(attempts && {
      attempts: Object.fromEntries(Object.entries(attempts).filter(([uuid]) => isKept(uuid))),
    }),
  };
}
