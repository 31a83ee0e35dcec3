const seconds = /^\d{1,6}$/;

/** Until when the reply asks to wait, by its `Retry-After` (RFC 9110, 10.2.3); 0 when it does not. Epoch ms. */
export function retryAfterOf(error: unknown, now: number): number {
  const { $response: response } = error as { $response?: { headers?: Readonly<Record<string, string>> } };
  const text = response?.headers?.['retry-after']?.trim() ?? '';
  if (seconds.test(text)) return now + Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : at;
}
