import { describe, expect, it } from 'vitest';
import { DeadlineError } from '../../src/async/deadline.js';
import { UnknownInstanceError } from '../../src/fleet/instance-executors.js';
import { UnsafeUuidError } from '../../src/runner/remote-command.js';
import { remoteFailure } from '../../src/actors/remote-failure.js';
import { QueueError } from '../../src/queue/queue.js';
import { ExecutorError, executorErrorCodes } from '../../src/ssh/executor.js';

describe('a remote failure', () => {
  it('is expected for what is normal while an instance boots (P-7)', () => {
    const expected = executorErrorCodes.filter((code) => remoteFailure(new ExecutorError(code, '')).expected);
    expect(expected).toEqual(['no-address', 'refused', 'timeout', 'closed', 'exit', 'aborted']);
  });

  it('carries what the command printed (X-3, P-12)', () => {
    const error = new ExecutorError('exit', 'status 3', { exitCode: 3, stdout: 'out', stderr: 'err' });
    expect(remoteFailure(error)).toEqual({
      ok: false,
      code: 'exit',
      message: 'status 3',
      stdout: 'out',
      stderr: 'err',
      exitCode: 3,
      expected: true,
    });
  });

  it.each([
    [new QueueError('conflict', 'no'), 'conflict', false],
    [new DeadlineError('the queue', 5), 'timeout', true],
    [new UnknownInstanceError('i-1'), 'gone', true],
    [new UnsafeUuidError('x'), 'unsafe', false],
    [AbortSignal.abort().reason as Error, 'aborted', true],
    [new TypeError('a bug'), 'fault', false],
    ['a bare text', 'fault', false],
  ])('names %s', (error, code, expected) => {
    expect(remoteFailure(error)).toMatchObject({ ok: false, code, expected, stdout: '', stderr: '' });
  });
});
