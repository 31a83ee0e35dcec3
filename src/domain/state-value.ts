/** True for the same state, at most one within another. */
export function isSameState(a: unknown, b: unknown): boolean {
  if (a === b || typeof a === 'string' || typeof b === 'string') return a === b;
  for (const key in a as object)
    return (a as Record<string, unknown>)[key] === (b as Record<string, unknown>)[key];
  return false;
}

/** `booting.copied` for a state within a state. */
export function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.entries((value ?? {}) as Record<string, unknown>)
    .map(([key, inner]) =>
      typeof inner === 'object' && Object.keys(inner ?? {}).length === 0 ? key : `${key}.${nameOf(inner)}`,
    )
    .join(' ');
}
