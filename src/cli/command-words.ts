import type { Command, Option } from 'commander';

/** Commands whose last words are another program's command line, and how many words of ours come before them. */
const wordsBefore: Readonly<Record<string, number>> = { submit: 0, ssh: 1 };

/**
 * Returns the command line with `--` before the first word of another program's command: that word's options are not
 * ours. Ours may stand anywhere before it. (Commander's `passThroughOptions` would refuse ours between `ssh ID` and the
 * command, and those of the program after the name of any command.)
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

/** True for `--name` and `-n`, also as the last of several short ones, when the value is the word after it. */
function takesNextWord(word: string, options: readonly Option[]): boolean {
  if (word.startsWith('--')) return options.some(({ long, required }) => long === word && required);
  const letters = Array.from(word.slice(1));
  const valued = letters.findIndex((letter) =>
    options.some(({ short, required }) => short === `-${letter}` && required),
  );
  return valued !== -1 && valued === letters.length - 1;
}
