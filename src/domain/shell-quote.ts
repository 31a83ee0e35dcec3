const plainWord = /^[A-Za-z0-9_@%+=:,./~-]+$/;

/** One word in single quotes, each `'` written `'\''` (R-2). */
export function singleQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A plain word as it is, any other in single quotes (K-26). */
export function quoteIfNeeded(word: string): string {
  return plainWord.test(word) && !word.startsWith('~') ? word : singleQuote(word);
}
