/** A breaker that is not closed, as operators see it. */
export interface BreakerView {
  /** `quota`, `create pace`, `list pace`, `capacity: …`, `boot: …` or `failing: …`. */
  key: string;
  state: 'open' | 'halfOpen' | 'probing';
  reason: string;
  /** Epoch ms at which one trial is allowed; `undefined` unless open. */
  until: number | undefined;
}
