const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const pattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/** Reads `10s`, `1h30m`, `500ms`, `0`; ms. Throws with the remedy in the message. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (!pattern.test(text)) throw new Error(`"${text}" is no duration: write it like 10s, 1h30m or 500ms`);
  let totalMs = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(number) * unitsMs[unit!]!;
  }
  if (!Number.isSafeInteger(Math.round(totalMs)))
    throw new Error(`"${text}" is too long: give at most 9000000000s`);
  return Math.round(totalMs);
}

/** The shortest text that {@link parseDuration} reads as the same. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest === 0) return '0';
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const count = Math.floor(rest / unitsMs[unit]!);
    rest -= count * unitsMs[unit]!;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
