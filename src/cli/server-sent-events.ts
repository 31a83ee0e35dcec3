/** One server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** Yields the complete events of a text stream; drops comments and other fields. */
export async function* serverEvents(chunks: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let rest = '';
  for await (const chunk of chunks) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n');
      const field = (name: string): string[] =>
        lines
          .filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).trimStart());
      const [event] = field('event');
      if (event !== undefined) yield { event, data: field('data').join('\n') };
    }
  }
}
