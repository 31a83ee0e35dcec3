/** What is remembered of an instance from one daemon to the next. */
export interface Sighting {
  instanceId: string;
  /** When it was asked for, or first seen where that is not known; epoch ms. */
  firstSeenAt: number;
  instanceTypeName: string;
  /** Dollars. */
  pricePerHour: number;
}

/** Where that is kept. Writing never waits and never fails here: what is not kept makes an instance look younger. */
export interface Sightings {
  /** All that earlier daemons kept, by instance id. Rejects when it cannot be read. */
  load(): Promise<ReadonlyMap<string, Sighting>>;
  seen(sighting: Sighting): void;
  gone(instanceId: string): void;
}

export const noSightings: Sightings = {
  load: () => Promise.resolve(new Map()),
  seen: () => {},
  gone: () => {},
};
