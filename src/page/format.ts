/** `1 h 5 min`, `12 s`, `0.4 s`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Formats the time since an ISO time; `–` for none. */
export function ago(time: string | null, now = Date.now()): string {
  return time === null ? '–' : duration(now - Date.parse(time));
}

export function money(dollars: number, digits = 4): string {
  return `$${dollars.toFixed(digits)}`;
}

export function bytes(value: number): string {
  if (value < 1_024) return `${value} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 'B';
  for (const next of units) {
    if (size < 1_024) break;
    size /= 1_024;
    unit = next;
  }
  return `${size >= 100 || Number.isInteger(size) ? Math.round(size) : size.toFixed(1)} ${unit}`;
}

export const clockTime = (at: number | string): string =>
  new Date(at).toLocaleTimeString(undefined, { hour12: false });

export const dateTime = (at: number | string | null): string =>
  at === null ? '–' : new Date(at).toLocaleString(undefined, { hour12: false });

/** Removes colours, cursor movements and other control characters. */
export function plainText(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- control sequences are what is looked for
      .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g, '')
      // eslint-disable-next-line no-control-regex -- the same
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '�')
  );
}

/** Returns the displayed state: a complete container with a nonzero exit code is shown as failed. */
export function outcomeOf({ state, exitCode }: { state: string; exitCode: number | null }): {
  kind: string;
  label: string;
} {
  if (state !== 'Complete' || exitCode === 0) return { kind: state, label: state };
  return { kind: 'Failed', label: `Failed (${exitCode === null ? 'no exit code' : `exit ${exitCode}`})` };
}

/** Quotes words like a shell, so that the end of each is visible. */
export function commandLine(words: readonly string[]): string {
  const quoted = words.map((word) =>
    /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`,
  );
  return plainText(quoted.join(' '));
}
