import { formatDuration } from '../../domain/duration.js';

/** `2026-11-21T08:24:11Z`. */
export function timeText(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Formats at most two units, such as `3h12m` or `42s`; `a moment` for less than a second. */
export function spanText(ms: number): string {
  if (ms < 1_000) return 'a moment';
  const text = formatDuration(Math.floor(ms / 1_000) * 1_000);
  return /^(?:\d+[a-z]+){1,2}/.exec(text)?.[0] ?? text;
}

/** `2026-11-21T08:24:11Z (in 42s)`. */
export function futureText(at: number, now: number): string {
  return `${timeText(at)} (${at <= now ? 'now' : `in ${spanText(at - now)}`})`;
}

/** `2026-11-21T08:24:11Z (3m ago)`. */
export function pastText(at: number, now: number): string {
  return `${timeText(at)} (${now - at < 1_000 ? 'just now' : `${spanText(now - at)} ago`})`;
}

export function dollarText(dollars: number): string {
  return `$${dollars.toFixed(dollars >= 1 ? 2 : 4)}`;
}
