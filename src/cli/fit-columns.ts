/** One column of a table. */
export interface TableColumn {
  head: string;
  /** Columns with the lowest number are left out first; default 1. */
  priority?: number;
  /** Minimum width; default: the width of its content, at most {@link narrowest}. */
  least?: number;
}

/** Enough to recognise truncated text. */
const narrowest = 10;

/**
 * Returns the widths with which columns fit into `available` characters, with `between` characters beside each;
 * `undefined` for a column that is left out. The widest column shrinks first. When none can shrink further, the column
 * with the lowest priority is left out, the last one of several. One column always stays.
 */
export function fitColumns(
  columns: readonly TableColumn[],
  natural: readonly number[],
  available: number,
  between: number,
): (number | undefined)[] {
  const widths: (number | undefined)[] = [...natural];
  const least = columns.map((column, index) =>
    Math.min(natural[index]!, Math.max(column.least ?? narrowest, Math.min(column.head.length, narrowest))),
  );
  const present = (): number[] => [...widths.keys()].filter((index) => widths[index] !== undefined);
  const excess = (of: readonly (number | undefined)[]): number =>
    present().reduce((sum, index) => sum + of[index]! + between, 0) - available;
  while (excess(least) > 0 && present().length > 1) {
    const lowest = present().reduce((low, index) =>
      (columns[index]!.priority ?? 1) <= (columns[low]!.priority ?? 1) ? index : low,
    );
    widths[lowest] = undefined;
  }
  for (let over = excess(widths); over > 0; over--) {
    const shrinkable = present().filter((index) => widths[index]! > least[index]!);
    const candidates = shrinkable.length > 0 ? shrinkable : present().filter((index) => widths[index]! > 1);
    if (candidates.length === 0) break;
    const widest = candidates.reduce((a, b) => (widths[b]! > widths[a]! ? b : a));
    widths[widest]!--;
  }
  return widths;
}
