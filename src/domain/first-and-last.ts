/** A text of any length as one of that length at most, on one line: its first part and its last. */
export function firstAndLast(text: string, most: number): string {
  const half = Math.floor(most / 2);
  const part = text.length <= most ? text : `${text.slice(0, half)} […] ${text.slice(-half)}`;
  return part.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').toWellFormed();
}
