import type { Redact } from './translate-error.js';

/** Shorter words are not taken for secrets: they would blot out half of each message. */
const shortest = 8;

/** Blots out each of these texts, also as the query form of EC2 encodes them. */
export function redactor(hidden: readonly string[]): Redact {
  const texts = hidden
    .filter((each) => each.length >= shortest)
    .flatMap((each) => [each, encodeURIComponent(each)])
    .sort((a, b) => b.length - a.length);
  return (text) => texts.reduce((rest, each) => rest.replaceAll(each, '[redacted]'), text);
}

/** What of a shell text may be secret: all of it, its lines, and the long words in them. */
export function secretsIn(script: string): string[] {
  return [script, ...script.split('\n'), ...(script.match(/[A-Za-z0-9+/_=-]{16,}/g) ?? [])];
}
