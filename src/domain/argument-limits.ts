/** Linux: MAX_ARG_STRLEN, the zero byte at its end included. */
const longestWordBytes = 128 * 1024 - 1;
/**
 * Linux takes a quarter of the stack's limit, 2 MiB as usual, for all words and variables together. What the instance,
 * the runner program and an engine add has its place in the rest.
 */
const longestTotalBytes = 1.5 * 1024 * 1024;
const pointerBytes = 8;

export interface ArgumentFault {
  /** Where in the request: `['env', 'NAME']`, `['command', 2]`. */
  path: (string | number)[];
  message: string;
}

/** The first word or variable that no system would hand to a program, with the limit; `undefined` when all can be. */
export function argumentFault(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): ArgumentFault | undefined {
  let total = 0;
  const words = command.map((text, index) => ({ path: ['command', index], bytes: Buffer.byteLength(text) }));
  const variables = Object.entries(env).map(([name, value]) => ({
    path: ['env', name],
    bytes: Buffer.byteLength(name) + 1 + Buffer.byteLength(value),
  }));
  for (const { path, bytes } of [...words, ...variables]) {
    if (bytes > longestWordBytes) return { path, message: tooLong(path[0], bytes) };
    total += bytes + 1 + pointerBytes;
  }
  if (total <= longestTotalBytes) return undefined;
  const message =
    `command and env are ${total} bytes together; ${longestTotalBytes} is the limit for what a program can be started ` +
    'with: put the data into a file';
  return { path: ['command'], message };
}

function tooLong(field: string | number | undefined, bytes: number): string {
  const what = field === 'env' ? 'the variable, with its name,' : 'the word';
  return `${what} is ${bytes} bytes; ${longestWordBytes} is the limit for one that a program can be started with: put the data into a file`;
}
