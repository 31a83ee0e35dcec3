import type { DriverError } from './driver.js';

/** Calls of the driver that a gate tells apart. */
export type GatedCall = 'create' | 'list' | 'destroy' | 'setTags';

/** Decides whether a call reaches the provider, and learns how it ended. */
export interface CallGate {
  /** Returns an id for the call. Throws a `DriverError` with code `rate-limited` while calls are held. */
  admit(call: GatedCall): string;
  succeeded(call: GatedCall, id: string): void;
  failed(call: GatedCall, id: string, error: DriverError): void;
  stop(): void;
}
