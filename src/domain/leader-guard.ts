/** The leave to give orders to clouds and instances: another daemon may have taken it over. */
export interface Mandate {
  /**
   * Resolves when whoever grants it says, now, that it holds. Rejects with {@link MandateError} when it is over, and
   * when nobody can tell.
   */
  confirm(): Promise<void>;
  /** The last look, right before an order leaves. Throws {@link MandateError} when the time it was granted for is over. */
  assert(): void;
}

/** This daemon may give no orders now. */
export class MandateError extends Error {
  constructor(message = 'this daemon does not lead now, so it gives no orders') {
    super(message);
    this.name = 'MandateError';
  }
}

/** Of a daemon that shares its store with no other. */
export const soleMandate: Mandate = { confirm: () => Promise.resolve(), assert: () => {} };
