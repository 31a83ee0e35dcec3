import type { Command, Option } from 'commander';

/** Commands whose last words are the command line of another program, and how many own words precede them. */
const wordsBefore: Readonly<Record<string, number>> = { submit: 0, ssh: 1 };

/**
 * Returns the command line with `--` before the first word of another program's command, so that its options are not
 * parsed as ours. Our options may stand anywhere before it. (Commander's `passThroughOptions` would reject our options
 * between `ssh ID` and the command, and options of the program after the name of any command.)
 */
export function delimitCommandWords(program: Command, argv: readonly string[]): string[] {
  let command = program;
  let left = Infinity;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--') break;
    if (word.startsWith('-') && word !== '-') {
      if (takesNextWord(word, [...command.options, ...program.options])) index++;
    } else if (command === program) {
      const named = program.commands.find((each) => each.name() === word);
      if (!named || !(word in wordsBefore)) break;
      command = named;
      left = wordsBefore[word]!;
    } else if (left-- === 0) {
      return [...argv.slice(0, index), '--', ...argv.slice(index)];
    }
  }
  return [...argv];
}

/** Whether `--name` or `-n`, also as the last of several short options, takes its value from the next word. */
function takesNextWord(word: string, options: readonly Option[]): boolean {
  if (word.startsWith('--')) return options.some(({ long, required }) => long === word && required);
  const letters = Array.from(word.slice(1));
  const valued = letters.findIndex((letter) =>
    options.some(({ short, required }) => short === `-${letter}` && required),
  );
  return valued !== -1 && valued === letters.length - 1;
}
