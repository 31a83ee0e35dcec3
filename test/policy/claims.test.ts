import { describe, expect, it } from 'vitest';
import { resolveDoubles } from '../../src/policy/claims.js';
import { container } from '../support/scheduling-world.js';
import type { RunningView } from '../../src/domain/instance-view.js';

const { uuid } = container(1);
const at = (instanceId: string): RunningView => ({ instanceId, phase: 'running', exitedAt: undefined });
const placed = { ...container(1, { state: 'Running' }), instanceId: 'i-2' };

describe('a container that two instances have', () => {
  it.each([
    ['i-1', 'i-2'],
    ['i-2', 'i-1'],
  ])('is on the one that the queue names, whichever was looked at first (%s)', (first, second) => {
    const running = new Map([[uuid, at(first)]]);
    const resolved = resolveDoubles(running, [{ ...at(second), uuid }], () => placed);
    expect(resolved.running.get(uuid)).toMatchObject({ instanceId: 'i-2' });
    expect(resolved.strays).toMatchObject([{ uuid, instanceId: 'i-1' }]);
    expect(running.get(uuid)).toEqual(at(first));
  });

  it('has no place while the queue does not have it as running', () => {
    const running = new Map([[uuid, at('i-1')]]);
    for (const each of [undefined, { ...container(1, { state: 'Queued' }), instanceId: '' }]) {
      const resolved = resolveDoubles(running, [{ ...at('i-2'), uuid }], () => each);
      expect([...resolved.running]).toEqual([...running]);
      expect(resolved.strays).toEqual([]);
    }
  });
});
