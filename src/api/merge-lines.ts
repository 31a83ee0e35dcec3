/** A longer line is passed on in parts of this size. */
const longestHeld = 65_536;

type Text = AsyncGenerator<string>;
type Arrival = { text: Text } & ({ result: IteratorResult<string> } | { error: unknown });

/**
 * Merges texts that arrive in pieces, without mixing within a line. Reads a text further only after its last piece was
 * consumed. Ends with the last text, or with the first error.
 */
export async function* mixedByLine(texts: readonly Text[]): AsyncGenerator<string> {
  const arrived: Arrival[] = [];
  const begun = new Map<Text, string>(texts.map((text) => [text, '']));
  let wake = (): void => {};
  const arrive = (arrival: Arrival): void => {
    arrived.push(arrival);
    wake();
  };
  const readOn = (text: Text): void =>
    void text.next().then(
      (result) => arrive({ text, result }),
      (error: unknown) => arrive({ text, error }),
    );
  texts.forEach(readOn);
  try {
    while (begun.size > 0) {
      if (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const arrival = arrived.shift()!;
      const { text } = arrival;
      if ('error' in arrival) throw arrival.error;
      const piece = begun.get(text)! + (arrival.result.done ? '' : arrival.result.value);
      if (arrival.result.done) {
        begun.delete(text);
        if (piece !== '') yield begun.size > 0 ? `${piece}\n` : piece;
        continue;
      }
      const end = piece.lastIndexOf('\n') + 1 || (piece.length > longestHeld ? piece.length : 0);
      begun.set(text, piece.slice(end));
      if (end > 0) yield piece.slice(0, end);
      readOn(text);
    }
  } finally {
    // The caller ends the pending ones.
    for (const text of begun.keys()) void text.return(undefined).catch(() => {});
  }
}
