import { describe, expect, it } from 'vitest';
import { HostKeyError, HostKeys } from '../../src/fleet/host-keys.js';
import type { HostKey, HostKeyChange, PinnedHostKey } from '../../src/domain/host-key.js';

const keyOf = (name: string): HostKey => ({ type: 'ssh-ed25519', fingerprint: `SHA256:${name}` });
const [first, second, third] = [keyOf('first'), keyOf('second'), keyOf('third')];

function world(known: readonly PinnedHostKey[] = []) {
  const rows = new Map<string, PinnedHostKey>();
  const changes: HostKeyChange[] = [];
  const clock = { at: 1_000, now: () => clock.at };
  const keys = new HostKeys({
    clock,
    store: { keep: (pin) => rows.set(pin.instanceId, pin), gone: (id) => rows.delete(id) },
    known: new Map(known.map((pin) => [pin.instanceId, pin])),
    onChange: (change) => changes.push(change),
  });
  const reports = (): unknown[] => changes.map(({ outcome, before, now }) => [outcome, before, now]);
  return { keys, rows, clock, changes, reports };
}

const inService = (id = 'i-1'): PinnedHostKey => {
  return { ...first, instanceId: id, pinnedAt: 1, isFinal: true, refused: undefined };
};

describe('the host key of an instance', () => {
  it('is pinned with its first proof, kept, and goes with the instance', () => {
    const { keys, rows, changes } = world();
    expect(keys.proven('i-1', first)).toBe(true);
    const pin = { ...first, instanceId: 'i-1', pinnedAt: 1_000, isFinal: false, refused: undefined };
    expect([keys.of('i-1'), rows.get('i-1')]).toEqual([pin, pin]);
    keys.gone('i-1');
    expect([keys.of('i-1'), rows.size, changes]).toEqual([undefined, 0, []]);
  });

  it('is replaced by another proven one while the instance boots, and each new key is reported once', () => {
    const { keys, rows, reports } = world();
    for (const key of [first, second, first, second]) expect(keys.proven('i-1', key)).toBe(true);
    expect(rows.get('i-1')).toMatchObject({ ...second, isFinal: false });
    expect(reports()).toEqual([
      ['replaced', expect.objectContaining(first), second],
      ['replaced', expect.objectContaining(second), first],
    ]);
  });

  it('is final once the boot succeeded: another one is refused, kept for the operator and reported once', () => {
    const { keys, rows, reports } = world();
    keys.proven('i-1', first);
    keys.finalise('i-1');
    expect(rows.get('i-1')?.isFinal).toBe(true);
    expect([keys.proven('i-1', second), keys.proven('i-1', second), keys.proven('i-1', first)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(rows.get('i-1')).toMatchObject({ ...first, refused: second });
    expect(reports()).toEqual([['refused', expect.objectContaining(first), second]]);
  });

  it('is final at once when it is proven first by an instance in service: an old store has no row of it', () => {
    const { keys, rows } = world();
    keys.finalise('i-1');
    expect(keys.proven('i-1', first)).toBe(true);
    expect(rows.get('i-1')).toMatchObject({ ...first, isFinal: true });
    expect(keys.proven('i-1', second)).toBe(false);
  });

  it('is the one that an earlier daemon pinned, and what that one reported is not reported again', () => {
    const { keys, changes, rows } = world([{ ...inService(), refused: second }]);
    expect([keys.proven('i-1', second), keys.proven('i-1', first)]).toEqual([false, true]);
    expect(changes).toEqual([]);
    expect(keys.proven('i-1', third)).toBe(false);
    expect([changes.length, rows.get('i-1')?.refused]).toEqual([1, third]);
  });

  it('is refused silently after many reports: a host with ever new keys costs nothing', () => {
    const { keys, changes } = world([inService()]);
    for (let n = 0; n < 1_000; n++) expect(keys.proven('i-1', keyOf(`k${n}`))).toBe(false);
    expect(changes).toHaveLength(16);
  });

  it('is the one that the provider vouches for, whatever was pinned', () => {
    const { keys, rows, reports } = world([inService()]);
    keys.vouched('i-1', second);
    expect(rows.get('i-1')).toMatchObject({ ...second, isFinal: true });
    expect(reports()).toEqual([['vouched', expect.objectContaining(first), second]]);
    expect([keys.proven('i-1', first), keys.proven('i-1', second)]).toEqual([false, true]);
  });

  it('changes by an operator’s word to the key that was refused last', () => {
    const { keys, rows, clock } = world([inService()]);
    keys.proven('i-1', second);
    clock.at = 5_000;
    const accepted = { ...second, instanceId: 'i-1', pinnedAt: 5_000, isFinal: true, refused: undefined };
    expect(keys.accept('i-1', undefined)).toEqual(accepted);
    expect(rows.get('i-1')).toEqual(accepted);
    expect([keys.proven('i-1', second), keys.proven('i-1', first)]).toEqual([true, false]);
  });

  it('changes by an operator’s word to a fingerprint that no host showed yet, and learns its type from the host', () => {
    const { keys, rows, reports } = world([inService()]);
    expect(keys.accept('i-1', third.fingerprint)).toMatchObject({ type: '', fingerprint: third.fingerprint });
    expect(keys.proven('i-1', second)).toBe(false);
    expect(keys.proven('i-1', third)).toBe(true);
    expect(rows.get('i-1')).toMatchObject(third);
    expect(reports().map((each) => (each as unknown[])[0])).toEqual(['accepted', 'refused']);
  });

  it('is not changed by an operator’s word without a key, nor twice to the same', () => {
    const { keys, changes } = world([inService()]);
    expect(() => keys.accept('i-1', undefined)).toThrow(HostKeyError);
    expect(keys.accept('i-1', first.fingerprint)).toBeUndefined();
    expect(changes).toEqual([]);
  });
});
