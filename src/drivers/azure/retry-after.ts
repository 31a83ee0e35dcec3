/** Epoch ms a `Retry-After` header stands for: an HTTP date, or whole seconds from now; `undefined` for anything else. */
export function retryAfterAt(header: string | null | undefined, nowMs: number): number | undefined {
  const value = header?.trim() ?? '';
  if (/^\d+$/.test(value)) return nowMs + Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : date;
}
