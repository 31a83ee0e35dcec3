import { afterEach, describe, expect, it } from 'vitest';
import { installCommand } from '../../src/actors/copy-runner.js';
import { parseWatchLine } from '../../src/actors/watch.js';
import { parseCollected } from '../../src/runner/collected-result.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { secret, spec } from './contract.js';
import { login } from './login.js';
import { closers, list, openOverSsh, options, start, uuid, vmWorld, within } from './simulated-world.js';

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe('a stub machine', () => {
  it('runs a container from start to collected result (D-25)', async () => {
    const { run, clock } = await vmWorld();
    expect((await run(start, 'no json')).exitCode).toBe(1);
    expect((await run(start, '{}')).exitCode).toBe(0);
    expect((await run(start, '{}')).exitCode).toBe(1);
    expect((await run(list)).stdout).toBe(`${uuid}\n`);
    expect((await run(`crunch-run --collect ${uuid}`)).exitCode).toBe(3);
    await clock.advance(1_000);
    expect((await run(list)).stdout).toBe(`${uuid} ended\n`);
    const { stdout } = await run(`crunch-run --collect ${uuid}`);
    expect(parseCollected(uuid, stdout)).toMatchObject({ exitCode: 3, stdout: 'out', stderr: 'err' });
    expect((await run(`crunch-run --discard ${uuid}`)).exitCode).toBe(0);
    expect((await run(list)).stdout).toBe('');
    expect((await run(`crunch-run --collect ${uuid}`)).exitCode).toBe(4);
  });

  it('says of a kill whether the container still lives (N-6)', async () => {
    const { run, clock } = await vmWorld({ vm: { killDelayMs: 50 } });
    await run(start, '{}');
    const kill = `crunch-run --kill 15 ${uuid}`;
    expect((await run(kill)).exitCode).toBe(1);
    await clock.advance(50);
    expect((await run(kill)).exitCode).toBe(0);
    const { stdout } = await run(`crunch-run --collect ${uuid}`);
    expect(parseCollected(uuid, stdout)).toMatchObject({ exitCode: 143, note: 'stopped on request' });
  });

  it('lists a container until its supervisor has reported, once, though a TERM comes meanwhile (N-12)', async () => {
    const reports: number[] = [];
    const goes: (() => void)[] = [];
    const report = (exitCode: number): Promise<void> => {
      reports.push(exitCode);
      return new Promise((resolve) => void goes.push(resolve));
    };
    const { run, clock } = await vmWorld({ vm: { keepsResults: false, killDelayMs: 50 }, report });
    await run(start, '{}');
    await clock.advance(1_000);
    expect([reports, (await run(list)).stdout]).toEqual([[3], `${uuid}\n`]);
    expect((await run(`crunch-run --kill 15 ${uuid}`)).exitCode).toBe(1);
    await clock.advance(50);
    expect(reports).toEqual([3, 143]);
    goes[1]!();
    await settle();
    expect((await run(list)).stdout).toBe('');
    goes[0]!();
    await settle();
    expect([(await run(list)).stdout, (await run(start, '{}')).exitCode]).toEqual(['', 0]);
  });

  it('keeps a lock for a while, or for ever (D-21)', async () => {
    const lagging = await vmWorld({ vm: { lockLagMs: 1_000, keepsResults: false } });
    await lagging.run(start, '{}');
    await lagging.clock.advance(1_000);
    expect((await lagging.run(list)).stdout).toBe(`${uuid} stale\n`);
    await lagging.clock.advance(500);
    expect((await lagging.run(list)).stdout).toBe('');
    const stuck = await vmWorld({ vm: { deadlockRate: 1 } });
    await stuck.run(start, '{}');
    await stuck.clock.advance(1_000_000);
    expect((await stuck.run(list)).stdout).toBe(`${uuid} ended\n`);
    expect((await stuck.run(`crunch-run --discard ${uuid}`)).exitCode).toBe(0);
    expect((await stuck.run(list)).stdout).toBe(`${uuid} stale\n`);
    expect((await stuck.run(`crunch-run --collect ${uuid}`)).exitCode).toBe(4);
    expect((await stuck.run(start, '{}')).exitCode).toBe(1);
  });

  it('loses a runner without a result (D-21)', async () => {
    const { run, clock } = await vmWorld({ vm: { crashRate: 1 } });
    await run(start, '{}');
    await clock.advance(1_000);
    const { stdout } = await run(`crunch-run --collect ${uuid}`);
    expect(parseCollected(uuid, stdout).note).toContain('without a result');
  });

  it('boots, breaks and reports that it is broken, each in its time (D-21)', async () => {
    const vm = { bootMs: 100, reportBrokenAfterMs: 200, brokenAfterMs: 300 };
    const { run, clock } = await vmWorld({ vm });
    expect((await run('true')).exitCode).toBe(1);
    await clock.advance(100);
    expect((await run('true')).exitCode).toBe(0);
    await clock.advance(100);
    expect((await run(list)).stdout).toBe('broken\n');
    await clock.advance(100);
    expect((await run(list)).exitCode).toBe(2);
  });

  it('lacks the runner program when told so (D-21)', async () => {
    const { run } = await vmWorld({ vm: { runnerMissing: true } });
    expect([(await run(list)).exitCode, (await run('true')).exitCode]).toEqual([1, 0]);
  });

  it('takes the runner program, whole, under any name (P-8, P-9)', async () => {
    const { run } = await vmWorld();
    const program = { content: Buffer.from('hello'), md5: '5d41402abc4b2a76b9719d911017c592' };
    for (const path of ["/opt/it's here/$x/crunch-run~1", '/opt/crunch-run~2']) {
      for (const user of ['root', 'crunch']) {
        const install = installCommand({ ...program, path }, user);
        expect((await run(install, Buffer.from('hell'))).exitCode).toBe(1);
        expect((await run(install, program.content)).exitCode).toBe(0);
        const word = path.includes(' ') ? `'${path.replaceAll("'", `'\\''`)}'` : path;
        expect((await run(`md5sum ${word}`)).stdout).toBe(`${program.md5}  ${path}\n`);
      }
    }
  });

  it('keeps the secret its init command brought (DT-43, DI-12)', async () => {
    const { run } = await vmWorld();
    expect((await run('cat /var/run/arvados-instance-secret')).stdout).toBe(secret);
  });

  it('says a word to a watcher now and then, and none to nobody', async () => {
    const { vm, clock } = await vmWorld();
    const lines: string[] = [];
    const watcher = { onLine: (line: string) => lines.push(line), onEnd: () => {} };
    const stop = vm.watch('crunch-run --watch', watcher);
    await clock.advance(30_000);
    expect(lines).toEqual(['attached', 'alive', 'alive']);
    stop();
    expect(clock.pending).toBe(0);
  });

  it('tells a watcher what is there and what happens (DW-20)', async () => {
    const { vm, run, clock } = await vmWorld();
    await run(start, '{}');
    const lines: string[] = [];
    const ends: number[] = [];
    const stop = vm.watch('crunch-run --watch', {
      onLine: (line) => lines.push(line),
      onEnd: (code) => ends.push(code),
    });
    await clock.advance(1_000);
    expect(lines).toEqual(['attached', `started ${uuid}`, `ended ${uuid}`]);
    expect(lines.every((line) => parseWatchLine(line, 'zzzzz'))).toBe(true);
    stop();
    vm.interrupt('soon');
    expect([lines.length, ends.length]).toEqual([3, 0]);
  });
});

describe('over SSH, a stub machine', () => {
  it('runs commands, follows a watch, and is gone after destroy (D-26)', async () => {
    const driver = await openOverSsh({ containerMs: 50 });
    closers.push(() => driver.stop());
    const { id } = await driver.create(spec(), options);
    await expect.poll(async () => (await driver.list({}, options))[0]?.address).toMatch(/:\d+$/);
    const [instance] = await driver.list({}, options);
    const executor = login(instance!);
    closers.push(() => executor.close());
    const { lines } = await executor.open('crunch-run --watch', options);
    const iterator = lines[Symbol.asyncIterator]();
    const next = async () => ((await iterator.next()) as { value: string }).value;
    expect(await next()).toBe('attached');
    await executor.run(start, { ...within, stdin: '{}' });
    expect([await next(), await next()]).toEqual([`started ${uuid}`, `ended ${uuid}`]);
    expect((await executor.run(list, within)).stdout).toBe(`${uuid} ended\n`);
    await driver.destroy(id, options);
    await expect.poll(async () => await driver.list({}, options)).toEqual([]);
    await expect(iterator.next()).rejects.toThrow();
  });
});
