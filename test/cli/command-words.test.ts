import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Command } from 'commander';
import { delimitCommandWords } from '../../src/cli/command-words.js';
import { runCommand } from '../support/command-line.js';
import { startStubDaemon, type StubDaemon } from '../support/stub-daemon.js';

interface Submitted {
  containers: { command: string[]; env: Record<string, string>; vcpus?: number }[];
}

describe('a command of another program on the command line', () => {
  let stub: StubDaemon;
  beforeAll(async () => {
    stub = await startStubDaemon(() => ({ status: 201, body: { items: [] } }));
  });
  afterAll(() => stub.close());

  const submitted = async (...argv: string[]): Promise<Submitted['containers'][0]> => {
    const { exitCode, output } = runCommand(stub, argv);
    expect([await exitCode, output.err]).toEqual([0, '']);
    return (stub.requests.at(-1)!.body as Submitted).containers[0]!;
  };

  it('keeps its own options, with and without --', async () => {
    const sh = ['sh', '-c', 'echo hi', '--url', 'x', '--', '--json'];
    for (const before of [[], ['--']]) {
      const { command } = await submitted('submit', '--vcpus', '2', ...before, ...sh);
      expect(command).toEqual(sh);
    }
  });

  it('comes after ours, wherever they are before it', async () => {
    const { command, env, vcpus } = await submitted(
      ...[
        '--wide',
        'submit',
        '--env',
        'A=1',
        '--env',
        'B=-c',
        '--vcpus=2',
        '--token-file',
        '/dev/null',
        'env',
        '-i',
      ],
    );
    expect([command, env, vcpus]).toEqual([['env', '-i'], { A: '1', B: '-c' }, 2]);
  });

  it('is sent word by word as it was given, whatever the words', async () => {
    const word = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
    const first = word.filter((text) => !text.startsWith('-') && !/^[A-Za-z_]\w*=/.test(text));
    const words = fc.tuple(
      first,
      fc.array(fc.oneof(word, fc.constantFrom('--', '-c', '--json', '--url', '-h'))),
    );
    await fc.assert(
      fc.asyncProperty(words, async ([head, tail]) => {
        expect((await submitted('submit', '--ram', '1MiB', head, ...tail)).command).toEqual([head, ...tail]);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a variable in place of the command', async () => {
    const { exitCode, output } = runCommand(stub, ['submit', '--env', 'A=1', 'B=2', 'env']);
    expect([await exitCode, output.err]).toEqual([
      2,
      expect.stringContaining('separate --env for each variable'),
    ]);
  });

  it('of ssh begins after the instance and the options that follow it', () => {
    const program = new Command('longshore').option('-c, --config <file>');
    program
      .command('ssh')
      .argument('<instance>')
      .argument('[command...]')
      .option('-t, --tty')
      .option('--reason <text>');
    program.command('queue').option('--limit <n>');
    const cases: [string[], string[]][] = [
      [
        ['ssh', 'i-1', '--reason', 'why', 'sh', '-c', 'x'],
        ['ssh', 'i-1', '--reason', 'why', '--', 'sh', '-c', 'x'],
      ],
      [
        ['ssh', '-tc', 'file', 'i-1', 'df', '-h'],
        ['ssh', '-tc', 'file', 'i-1', '--', 'df', '-h'],
      ],
      [
        ['-c', 'submit', 'ssh', '-cfile', 'i-1'],
        ['-c', 'submit', 'ssh', '-cfile', 'i-1'],
      ],
      [
        ['queue', '--limit', '3', 'a', 'b', '-c', 'x'],
        ['queue', '--limit', '3', 'a', 'b', '-c', 'x'],
      ],
    ];
    for (const [argv, expected] of cases) expect(delimitCommandWords(program, argv)).toEqual(expected);
  });
});
