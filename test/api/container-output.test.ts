import { describe, expect, it } from 'vitest';
import { followedOutput, presentOutput } from '../../src/api/container-output.js';
import type { ApiDeps } from '../../src/api/deps.js';
import { ExecutorError } from '../../src/ssh/executor.js';

type Step =
  | { state: 'Queued' | 'Locked' | 'Complete'; attempts?: number }
  /** What its tail tells, and whether the line breaks then. */
  | { state: 'Running'; attempts?: number; tail: string[]; breaks?: boolean };

/** A container whose story goes on each time somebody looks. */
function story(steps: readonly Step[], kept: string | undefined) {
  let at = -1;
  const now = (): Step => steps[Math.min(at, steps.length - 1)]!;
  const sources = {
    store: {
      find: () => {
        at++;
        const { state, attempts = 1 } = now();
        return Promise.resolve({ state, attempts });
      },
      output: () => Promise.resolve(kept === undefined ? undefined : { stdout: kept, stderr: '' }),
    },
    pool: { instances: () => (now().state === 'Running' ? [{ containerUuids: ['c'] }] : []) },
    tail: async function* () {
      const step = now();
      if (step.state !== 'Running') throw new Error('nothing runs');
      yield* step.tail;
      if (step.breaks) throw new ExecutorError('closed', 'the connection was lost');
    },
  };
  return sources as unknown as Pick<ApiDeps, 'store' | 'pool' | 'tail'>;
}

async function follow(steps: readonly Step[], kept?: string): Promise<string> {
  let told = '';
  const { signal } = new AbortController();
  for await (const piece of followedOutput(story(steps, kept), 'c', ['stdout'], signal)) told += piece;
  return told;
}

describe('following what a container prints', () => {
  it('begins before the container does, and ends with what was kept', async () => {
    const steps: Step[] = [
      { state: 'Queued' },
      { state: 'Running', tail: ['one\n', 'tw'] },
      { state: 'Complete' },
    ];
    expect(await follow(steps, 'one\ntwo\n')).toBe('one\ntwo\n');
  });

  it('goes on over a lost connection without telling anything twice', async () => {
    const steps: Step[] = [
      { state: 'Running', tail: ['one\n', 'tw'], breaks: true },
      { state: 'Running', tail: ['on', 'e\ntwo\nthr', 'ee\n'] },
      { state: 'Complete' },
    ];
    expect(await follow(steps, 'one\ntwo\nthree\nfour\n')).toBe('one\ntwo\nthree\nfour\n');
  });

  it('tells a further attempt from its beginning', async () => {
    const steps: Step[] = [
      { state: 'Running', tail: ['first\n'], breaks: true },
      { state: 'Running', attempts: 2, tail: ['second\n'] },
      { state: 'Complete', attempts: 2 },
    ];
    expect(await follow(steps, 'second\nend\n')).toBe('first\nsecond\nend\n');
  });

  it('ends when nothing was kept', async () => {
    expect(await follow([{ state: 'Complete' }])).toBe('');
  });
});

describe('the output of a container until now', () => {
  const present = async (failure: ExecutorError): Promise<string> => {
    const sources = {
      pool: { instances: () => [{ containerUuids: ['c'] }] },
      tail: async function* () {
        yield* [];
        throw failure;
      },
    } as unknown as Pick<ApiDeps, 'store' | 'pool' | 'tail'>;
    let told = '';
    for await (const piece of presentOutput(sources, 'c', ['stdout'], new AbortController().signal))
      told += piece;
    return told;
  };

  it('is empty while its instance does not know it yet', async () => {
    expect(await present(new ExecutorError('exit', 'exit 4', { exitCode: 4 }))).toBe('');
  });

  it('is not passed off as empty when it cannot be read', async () => {
    await expect(present(new ExecutorError('exit', 'exit 1', { exitCode: 1 }))).rejects.toThrow('exit 1');
    await expect(present(new ExecutorError('closed', 'lost'))).rejects.toThrow('lost');
  });
});
