import { describe, expect, it } from 'vitest';
import { UnknownInstanceError } from '../../src/fleet/instance-executors.js';
import { remoteFailure } from '../../src/actors/remote-failure.js';
import { type ExecutorError } from '../../src/ssh/executor.js';
import { address, EffectsWorld, keys, secret } from '../support/effects-world.js';

const cat = /^(sudo )?cat \/var\/run\/arvados-instance-secret$/;
const signal = new AbortController().signal;

/** One command on the instance; the driver cannot judge host keys, so the secret decides. */
async function connect(world: EffectsWorld): Promise<ExecutorError | undefined> {
  world.host.on(/^true$/);
  try {
    await world.executors.of('i-1').executor.run('true', { timeoutMs: 1_000, signal });
    return undefined;
  } catch (error) {
    return error as ExecutorError;
  }
}

function undecided(): EffectsWorld {
  const world = new EffectsWorld();
  world.driver.verdict = undefined;
  return world;
}

describe('host verification', () => {
  it('accepts a host whose secret has the fingerprint of the tag (T-74, X-6)', async () => {
    const world = undecided();
    world.add();
    world.host.on(cat, { stdout: secret });
    expect(await connect(world)).toBeUndefined();
    expect(world.host.commands).toEqual(['cat /var/run/arvados-instance-secret', 'true']);
  });

  it('accepts the plain secret in the tag of an adopted instance (T-74, X-6)', async () => {
    const world = undecided();
    world.add({ tags: { [keys.instanceSecret]: secret } });
    world.host.on(cat, { stdout: secret });
    expect(await connect(world)).toBeUndefined();
  });

  it.each([
    ['another secret', 'b1'.repeat(20)],
    ['a trailing newline', `${secret}\n`],
    ['a part of it', secret.slice(0, 39)],
    ['nothing', ''],
    ['the fingerprint itself', `sha256:${'0'.repeat(64)}`],
  ])('refuses a host that tells %s, and sends it nothing (T-70, T-74, X-5)', async (_, stdout) => {
    const world = undecided();
    world.add();
    world.host.on(cat, { stdout });
    const error = await connect(world);
    expect([error?.code, error?.message]).toEqual([
      'host-key',
      expect.stringContaining('bad instance secret'),
    ]);
    expect(world.host.sent(/^true$/)).toEqual([]);
  });

  it('refuses a host that tells the fingerprint of the tag in place of the secret (T-74)', async () => {
    const world = undecided();
    const { tags } = world.add();
    world.host.on(cat, { stdout: tags[keys.instanceSecret]! });
    expect((await connect(world))?.code).toBe('host-key');
  });

  it.each([[{}], [{ [keys.instanceSecret]: '' }]])(
    'refuses an instance without a secret and asks it nothing (T-74, X-6)',
    async (tags) => {
      const world = undecided();
      world.add({ tags });
      world.host.on(cat);
      expect((await connect(world))?.code).toBe('host-key');
      expect(world.host.commands).toEqual([]);
    },
  );

  it('reads the secret with sudo for another user than root (X-6)', async () => {
    const world = undecided();
    world.add({ remoteUser: 'ubuntu' });
    world.host.on(cat, { stdout: secret });
    await connect(world);
    expect(world.host.commands[0]).toBe('sudo cat /var/run/arvados-instance-secret');
  });

  it('takes the word of the driver, for and against, without reading the secret (X-6, DI-12)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.driver.verdict = false;
    expect((await connect(world))?.code).toBe('host-key');
    world.driver.verdict = true;
    expect(await connect(world)).toBeUndefined();
    expect(world.host.commands).toEqual(['true']);
    const key = world.driver.called('verifyHostKey')[0]!.args[1] as Uint8Array;
    expect(Buffer.from(key).toString()).toBe('a host key');
  });

  it('refuses the host when the driver fails, rather than fall back on the secret (X-6)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.driver.verdict = new Error('no answer');
    world.host.on(cat, { stdout: secret });
    expect((await connect(world))?.code).toBe('host-key');
    expect(world.host.commands).toEqual([]);
  });

  it('compares with the tags of the last list, not of the first (W-5)', async () => {
    const world = undecided();
    const instance = world.add({ tags: {} });
    world.host.on(cat, { stdout: secret });
    expect((await connect(world))?.code).toBe('host-key');
    world.executors.update({ ...instance, tags: { [keys.instanceSecret]: secret } });
    expect(await connect(world)).toBeUndefined();
  });

  it('counts a secret that is not there yet as part of booting, and never repeats what was printed (P-7)', async () => {
    const world = undecided();
    world.add();
    world.host.on(cat, { exitCode: 1, stdout: secret, stderr: 'cat: no such file\n' });
    const error = await connect(world);
    expect(remoteFailure(error)).toMatchObject({ code: 'host-key', expected: true });
    const cause = error?.cause as ExecutorError;
    expect([cause.code, cause.exitCode, cause.stdout]).toEqual(['exit', 1, '']);
    expect(JSON.stringify([remoteFailure(error), error?.message, cause.message])).not.toContain(secret);
  });

  it('counts a wrong secret as something to look at, and tells neither secret (P-7)', async () => {
    const world = undecided();
    const other = 'b1'.repeat(20);
    world.add({ tags: { [keys.instanceSecret]: secret } });
    world.host.on(cat, { stdout: other });
    const error = await connect(world);
    expect(remoteFailure(error)).toMatchObject({ code: 'host-key', expected: false });
    expect(JSON.stringify(remoteFailure(error))).not.toMatch(new RegExp(`${secret}|${other}`));
  });
});

/** An instance in service whose host comes back with another key. */
async function rekeyed(verdict?: boolean): Promise<EffectsWorld> {
  const world = undecided();
  world.driver.verdict = verdict;
  world.add();
  world.host.on(cat, { stdout: secret });
  expect(await connect(world)).toBeUndefined();
  world.executors.hostKeys.finalise('i-1');
  world.host.hostKey = 'another host key';
  world.network.executors[0]!.loseConnection();
  return world;
}

describe('a host with another key than the pinned one', () => {
  it('gets nothing but the question for the secret once the instance is in service, and quarantines it (X-5)', async () => {
    const world = await rekeyed();
    const asked = world.host.commands.length;
    const error = await connect(world);
    expect([error?.code, error?.message]).toEqual([
      'host-key',
      expect.stringMatching(/host key changed: SHA256:\S+ is pinned, and it shows SHA256:/),
    ]);
    expect(world.host.commands.slice(asked)).toEqual(['cat /var/run/arvados-instance-secret']);
    expect(world.executors.conduct.quarantineOf('i-1')?.because).toMatch(/^its host key changed/);
    expect(world.executors.conduct.view('i-1')?.strikes).toEqual({ 'host-key': 1 });
  });

  it('does not quarantine the instance when it lacks the secret: a stranger who answers there harms nobody', async () => {
    const world = await rekeyed();
    world.host.on(cat, { stdout: 'b1'.repeat(20) });
    const error = await connect(world);
    expect(error?.message).toContain('bad instance secret');
    expect([world.executors.conduct.view('i-1'), world.executors.hostKeys.of('i-1')?.refused]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('is taken while the instance boots once it is proven anew, and asked for by its type from then on', async () => {
    const world = undecided();
    world.add();
    world.host.on(cat, { stdout: secret });
    await connect(world);
    const rsa = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('ssh-rsa'), Buffer.from('…')]);
    world.host.hostKey = rsa.toString();
    world.network.executors[0]!.loseConnection();
    expect(await connect(world)).toBeUndefined();
    expect(world.host.sent(cat)).toHaveLength(2);
    expect(world.executors.conduct.view('i-1')).toBeUndefined();
    expect(world.network.executors[0]!.target.hostKeyType).toBe('ssh-rsa');
    world.executors.update({ ...world.executors.of('i-1').instance, address: '10.0.0.9:22' });
    expect(world.network.executors[0]!.target).toMatchObject({
      address: '10.0.0.9:22',
      hostKeyType: 'ssh-rsa',
    });
  });

  it('is accepted when the provider vouches for the key (DI-12)', async () => {
    const world = await rekeyed(true);
    expect(await connect(world)).toBeUndefined();
    expect(world.executors.conduct.view('i-1')).toBeUndefined();
  });

  it('is accepted by an operator’s word, over a new connection', async () => {
    const world = await rekeyed();
    await connect(world);
    world.executors.placed('i-1', '/opt/runner');
    const { fingerprint } = world.executors.hostKeys.of('i-1')!.refused!;
    expect(world.executors.acceptHostKey('i-1', undefined)?.fingerprint).toBe(fingerprint);
    expect(world.network.executors.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(await connect(world)).toBeUndefined();
    expect(world.executors.of('i-1').runnerPath).toBe('/opt/runner');
  });

  it('is refused when its proof was under way while an operator accepted yet another key', async () => {
    const world = await rekeyed();
    await connect(world);
    let answer: (() => void) | undefined;
    const verify = world.driver.verifyHostKey.bind(world.driver);
    world.driver.verifyHostKey = async (...args) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return verify(...args);
    };
    const connecting = connect(world);
    await expect.poll(() => answer).toBeDefined();
    world.executors.acceptHostKey('i-1', `SHA256:${'x'.repeat(43)}`);
    answer!();
    expect((await connecting)?.code).toBe('closed');
    expect(world.executors.hostKeys.of('i-1')?.fingerprint).toBe(`SHA256:${'x'.repeat(43)}`);
  });
});

describe('the executors', () => {
  it('tell how each connection fares (M-15)', async () => {
    const world = new EffectsWorld();
    world.add();
    await connect(world);
    world.network.executors[0]!.loseConnection();
    expect(world.facts.map(({ instanceId, what, error }) => [instanceId, what, error?.code])).toEqual([
      ['i-1', 'established', undefined],
      ['i-1', 'verified', undefined],
      ['i-1', 'lost', 'closed'],
    ]);
  });

  it('do not verify the same key again after a lost connection, and a new one they do (T-73, X-5)', async () => {
    const world = new EffectsWorld();
    world.add();
    await connect(world);
    world.network.executors[0]!.loseConnection();
    await connect(world);
    expect(world.driver.called('verifyHostKey')).toHaveLength(1);
    world.host.hostKey = 'another';
    world.network.executors[0]!.loseConnection();
    await connect(world);
    expect(world.driver.called('verifyHostKey')).toHaveLength(2);
  });

  it('aim at the address and user of each list without breaking the connection (W-5, X-10)', async () => {
    const world = new EffectsWorld();
    const instance = world.add({ address: '' });
    expect((await connect(world))?.code).toBe('no-address');
    world.executors.update({ ...instance, address, remoteUser: 'ubuntu' });
    expect(await connect(world)).toBeUndefined();
    expect(world.network.executors).toHaveLength(1);
    expect(world.network.executors[0]!.target).toEqual({ address, remoteUser: 'ubuntu' });
    expect(world.executors.of('i-1').instance.remoteUser).toBe('ubuntu');
  });

  it('close the connection of an instance that is gone, and know it no more (X-11)', async () => {
    const world = new EffectsWorld();
    const instance = world.add();
    await connect(world);
    world.executors.remove('i-1');
    expect(world.network.executors[0]!.isClosed).toBe(true);
    expect(() => world.executors.of('i-1')).toThrow(UnknownInstanceError);
    expect(() => {
      world.executors.update(instance);
      world.executors.remove('i-1');
    }).not.toThrow();
  });

  it('close the old connection when the same instance appears once more', async () => {
    const world = new EffectsWorld();
    world.add();
    world.add();
    expect(world.network.executors.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(await connect(world)).toBeUndefined();
  });
});
