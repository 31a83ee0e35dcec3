import type { Journal, JournalFilter } from './journal.js';

/** The journal as JSON lines, oldest first: pieces of text that hold whole lines. Reads on as they are taken. */
export async function* exportJournal(
  journal: Pick<Journal, 'pages'>,
  filter: JournalFilter = {},
): AsyncGenerator<string> {
  for await (const page of journal.pages(filter)) {
    yield page.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  }
}
