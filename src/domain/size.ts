const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Reads `4GiB`, `500MB`, `1048576`; bytes. Throws with the remedy in the message. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B)?$/.exec(text);
  if (!match) throw new Error(`"${text}" is no size: write it like 4GiB, 500MB or 1048576`);
  const bytes = Math.round(Number(match[1]) * units[match[2] ?? '']!);
  if (!Number.isSafeInteger(bytes)) throw new Error(`"${text}" is too large`);
  return bytes;
}

/** For people: three digits and a binary unit. */
export function formatSize(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(names.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 2 ** (10 * power)).toPrecision(4))}${names[power]}`;
}
