import { cp, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';
import { storeFiles } from '../../../src/daemon/store-admin.js';
import { loadConfig } from '../../../src/config/load.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { lockStore } from '../../../src/queue/store/store-lock.js';
import { startCommand } from '../../support/command-process.js';
import { request, storeOn } from './contract.js';
import type { Store } from '../../../src/queue/store/schema.js';

let folder: string;
let path: string;
let said: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-files-'));
  path = join(folder, 'state', 'longshore.db');
  await writeFile(join(folder, 'longshore.yaml'), 'clusterId: files\nstateDir: ./state\n');
});
afterEach(() => rm(folder, { recursive: true }));

const run = async (...argv: string[]): Promise<number> => {
  said = '';
  const write = (text: string): void => void (said += text);
  const never = (): Promise<never> => Promise.reject(new Error('not here'));
  const config = (file: string) => loadConfig(file, {}, []);
  return runProgram(['--config', join(folder, 'longshore.yaml'), 'store', ...argv], {
    serve: never,
    machineChart: () => '',
    offeredTypes: never,
    forecastParts: never,
    replayFile: never,
    stores: { migrate: never, copy: never },
    storeFiles: {
      check: (file) => storeFiles.check(config(file)),
      backUp: (file, to) => storeFiles.backUp(config(file), to),
      restore: (file, from) => storeFiles.restore(config(file), from),
      init: (file, isForced) => storeFiles.init(config(file), isForced),
    },
    version: '0',
    output: { write, error: write, isTerminal: false },
    env: {},
  });
};
const submit = async (db: Store, count: number): Promise<void> => {
  const store = storeOn(db);
  await store.submit(Array.from({ length: count }, () => ({ ...request, env: { A: 'x'.repeat(500) } })));
  await store.stop();
};
const fill = async (count: number): Promise<void> => {
  const db = await openDatabase({ url: path });
  await submit(db, count);
  await db.destroy();
};
const count = async (file = path): Promise<number> => {
  const db = await openDatabase({ url: file });
  const store = storeOn(db);
  try {
    return (await store.counts()).Queued;
  } finally {
    await store.stop();
    await db.destroy();
  }
};
const damage = async (file: string): Promise<void> => {
  const bytes = await readFile(file);
  bytes.fill(0x5a, 20 * 4_096, 24 * 4_096);
  await writeFile(file, bytes);
};

describe('a backup of an embedded store', () => {
  it('is made while a daemon writes, is whole by itself, and restores what the store was', async () => {
    const copy = join(folder, 'copy.db');
    const db = await openDatabase({ url: path });
    await submit(db, 300);
    const writing = (async () => {
      for (let round = 0; round < 20; round++) await submit(db, 5);
    })();
    expect([await run('backup', copy), said]).toEqual([0, expect.stringContaining(` to ${copy} (`)]);
    await writing;
    await db.destroy();
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    const copied = await count(copy);
    expect([copied >= 300, copied <= 400]).toEqual([true, true]);
    expect([await count(), await run('restore', copy), await count()]).toEqual([400, 0, copied]);
    // What was there is a store still.
    const aside = /the earlier store is now (.*)\n/.exec(said)![1]!;
    expect(await count(aside)).toBe(400);
  });

  it('is refused where there is a file already, and leaves none of a store that is damaged', async () => {
    await fill(500);
    await writeFile(join(folder, 'there'), 'x');
    expect([await run('backup', join(folder, 'there')), said]).toEqual([
      1,
      expect.stringContaining('is there already: name a new file'),
    ]);
    await damage(path);
    expect(await run('backup', join(folder, 'copy.db'))).toBe(1);
    expect((await readdir(folder)).filter((name) => name.startsWith('copy'))).toEqual([]);
  });
});

describe('restoring an embedded store', () => {
  it('brings back one that was truncated to nothing, which is refused before', async () => {
    await fill(50);
    await run('backup', join(folder, 'copy.db'));
    await truncate(path, 0);
    expect([await run('check'), said]).toEqual([1, expect.stringContaining('is empty (0 bytes)')]);
    expect(await run('restore', join(folder, 'copy.db'))).toBe(0);
    expect([await count(), await run('check')]).toEqual([50, 0]);
  });

  it('changes nothing for a copy that is damaged or none, or while a daemon uses the store', async () => {
    await fill(500);
    const copy = join(folder, 'copy.db');
    await run('backup', copy);
    const release = lockStore(path);
    expect([await run('restore', copy), said]).toEqual([1, expect.stringContaining('is in use by process')]);
    release();
    await damage(copy);
    expect([await run('restore', copy), said]).toEqual([1, expect.stringContaining(`${copy} is damaged`)]);
    await writeFile(copy, 'hello '.repeat(1_000));
    expect(await run('restore', copy)).toBe(1);
    expect(await run('restore', join(folder, 'none'))).toBe(1);
    expect(await count()).toBe(500);
    expect((await readdir(join(folder, 'state'))).sort()).toEqual(
      ['', '.id', '-shm', '-wal'].map((end) => `longshore.db${end}`).sort(),
    );
  });
});

describe('beginning an embedded store anew', () => {
  it('is done by word only where there was one, and deletes nothing', async () => {
    await fill(50);
    expect([await run('init'), said]).toEqual([1, expect.stringContaining('with --force it is set aside')]);
    await rm(path);
    await expect(openDatabase({ url: path })).rejects.toThrow('longshore store init --force');
    expect(await run('init', '--force')).toBe(0);
    expect(await count()).toBe(0);
    expect((await readdir(join(folder, 'state'))).some((name) => /before-.*\.id$/.test(name))).toBe(true);
  });

  it('is done where there was none', async () => {
    expect(await run('init')).toBe(0);
    expect(await count()).toBe(0);
  });
});

describe('the check of an embedded store by command', () => {
  it('says that it is whole, and what is wrong and what to do when it is not', async () => {
    await fill(500);
    const live = await openDatabase({ url: path });
    expect([await run('check'), said]).toEqual([0, expect.stringContaining(`${path} is undamaged`)]);
    await live.destroy();
    await damage(path);
    expect([await run('check'), said]).toEqual([
      1,
      expect.stringMatching(
        /is damaged \(.*\): restore it from a backup with "longshore store restore FILE"/,
      ),
    ]);
  });

  it('leaves a store as it is after a crash, so that it opens afterwards', async () => {
    await fill(10);
    const live = await openDatabase({ url: path });
    await submit(live, 40);
    const crashed = join(folder, 'crashed');
    await cp(join(folder, 'state'), crashed, { recursive: true });
    await live.destroy();
    await rm(join(folder, 'state'), { recursive: true });
    await rename(crashed, join(folder, 'state'));
    // A process of its own: what it leaves behind at its end counts.
    const command = startCommand(['--config', join(folder, 'longshore.yaml'), 'store', 'check']);
    expect([await command.exitCode, command.err]).toEqual([0, '']);
    expect([await count(), await run('backup', join(folder, 'copy.db')), await count()]).toEqual([50, 0, 50]);
  });

  it('is for embedded stores only', async () => {
    const file = join(folder, 'longshore.yaml');
    await writeFile(file, `clusterId: files\nstateDir: ./state\nstore: 'postgres://me@host/db'\n`);
    for (const [words, instead] of [
      [['check'], 'pg_amcheck'],
      [['backup', 'x'], 'pg_dump'],
      [['restore', 'x'], 'pg_restore'],
      [['init'], 'longshore store migrate'],
    ] as const) {
      expect([await run(...words), said]).toEqual([1, expect.stringContaining(instead)]);
    }
  });
});
