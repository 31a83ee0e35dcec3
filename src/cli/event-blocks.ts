/** One server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** The events in a stream of text, as they are complete; comments and other fields are dropped. */
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
