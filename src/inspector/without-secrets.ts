const secretName = /secret|password|passphrase|token|private_?key|authorization|cookie/i;
const censor = '[redacted]';
/** Shorter texts would occur by chance. */
const shortestSecret = 6;

/**
 * Writes messages as JSON without secrets: replaces values with secret names, and each of the given secrets
 * wherever it occurs within a text. Errors become their message. Reports to `warn` what cannot be written, and returns `''` for it.
 */
export function writerWithout(
  secrets: readonly string[],
  warn: (what: string) => void,
): (message: unknown) => string {
  const known = secrets.filter(({ length }) => length >= shortestSecret);
  const clean = (key: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return String(value);
    if (value instanceof Error) return { name: value.name, message: value.message };
    if (typeof value !== 'string') return value;
    if (secretName.test(key)) return censor;
    return known.reduce((text, secret) => text.replaceAll(secret, censor), value);
  };
  return (message) => {
    try {
      return JSON.stringify(message, clean);
    } catch (error) {
      warn(`a message for the inspector could not be written: ${String(error)}`);
      return '';
    }
  };
}
