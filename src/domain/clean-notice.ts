/** The longest notice that is passed on, in characters. */
const longestNotice = 300;

/** A text that an instance sent, as one for people: of bounded length, and without what a terminal would obey. */
export function cleanNotice(text: string, most = longestNotice): string {
  return text
    .slice(0, most)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .toWellFormed();
}
