import { copyFile, mkdir, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectStore, migrateStore, openDatabase } from '../../../src/queue/store/database.js';
import { FileKeeper } from '../../../src/queue/store/file-keeper.js';
import { checkIntegrity } from '../../../src/queue/store/integrity.js';
import { expectStore } from '../../../src/queue/store/store-presence.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import { request, storeOn } from './contract.js';
import type { Store } from '../../../src/queue/store/schema.js';

let folder: string;
let path: string;
const remedy = 'restore it with "longshore store restore FILE"';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-lost-'));
  path = join(folder, 'store.db');
});
afterEach(() => rm(folder, { recursive: true }));

const submitted = async (db: Store, count: number): Promise<void> => {
  const store = storeOn(db);
  await store.submit(Array.from({ length: count }, () => ({ ...request, env: { A: 'x'.repeat(500) } })));
  await store.stop();
};
/** A store with containers, after a clean stop. */
const stopped = async (count = 50): Promise<void> => {
  const db = await openDatabase({ url: path });
  await submitted(db, count);
  await db.destroy();
};
/** The files as they are after a crash. */
const crashed = async (): Promise<void> => {
  await stopped(1);
  const live = await openDatabase({ url: path });
  await submitted(live, 50);
  const saved = join(folder, 'saved');
  await mkdir(saved);
  for (const end of ['', '-wal', '.id']) await copyFile(path + end, join(saved, `store.db${end}`));
  await live.destroy();
  for (const end of ['', '-wal', '-shm', '.id']) await rm(path + end, { force: true });
  for (const end of ['', '-wal', '.id']) await copyFile(join(saved, `store.db${end}`), path + end);
};
const countIn = async (file = path): Promise<number> => {
  const db = await openDatabase({ url: file });
  try {
    const { rows } = await sql<{ n: number }>`select count(*) as n from containers`.execute(db);
    return rows[0]!.n;
  } finally {
    await db.destroy();
  }
};
const refused = async (what: string): Promise<void> => {
  // It stays so, and nothing is changed by the refusal.
  for (const _time of ['first', 'second']) {
    const error = await countIn().catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ code: 'invalid' });
    expect((error as Error).message).toContain(what);
    expect((error as Error).message).toContain(remedy);
  }
};

describe('an embedded store that existed before', () => {
  it('is refused, not begun anew, when its file is missing', async () => {
    await stopped();
    await rm(path);
    await refused('is missing, though a store was made here');
  });

  it('is refused, not begun anew, when its file was truncated to nothing', async () => {
    await stopped();
    await truncate(path, 0);
    await refused('is empty (0 bytes), though a store was made here');
  });

  it('is refused when another store is in its place', async () => {
    await stopped();
    const marker = await readFile(`${path}.id`);
    for (const end of ['', '-wal', '-shm', '.id']) await rm(path + end, { force: true });
    await stopped();
    await writeFile(`${path}.id`, marker);
    await refused('is not the store that was here');
  });

  it('is refused when an older state of it is in its place', async () => {
    await stopped();
    await copyFile(path, `${path}.old`);
    expect(await countIn()).toBe(50);
    await stopped();
    await copyFile(`${path}.old`, path);
    await refused('is an older state of the store (revision 50 instead of 100)');
  });

  it('is whole in its main file alone after a clean stop', async () => {
    await stopped();
    expect((await stat(`${path}-wal`)).size).toBe(0);
    await copyFile(path, join(folder, 'copy.db'));
    expect(await countIn(join(folder, 'copy.db'))).toBe(50);
  });

  it('opens with all of its files after a crash, and is refused without its write-ahead file', async () => {
    await crashed();
    expect(await countIn()).toBe(51);
    await rm(path.concat('.id'));
    await rm(join(folder, 'saved'), { recursive: true });
    for (const end of ['', '-wal', '-shm']) await rm(path + end, { force: true });
    await crashed();
    await rm(`${path}-wal`);
    await refused('is without its write-ahead file');
  });

  it('is refused as a file that was copied alone while it was in use, and opens with its write-ahead file', async () => {
    await crashed();
    const copy = join(folder, 'copy.db');
    await copyFile(path, copy);
    const original = path;
    path = copy;
    await refused('was copied while it was in use, without its write-ahead file');
    await copyFile(`${original}-wal`, `${copy}-wal`);
    expect(await countIn()).toBe(51);
    // Closed in good order it is whole by itself again.
    await copyFile(copy, join(folder, 'second.db'));
    expect(await countIn(join(folder, 'second.db'))).toBe(51);
  });

  it('opens as a file that was copied alone once its user says that nothing is missing', async () => {
    await crashed();
    path = join(folder, 'copy.db');
    await copyFile(join(folder, 'store.db'), path);
    const said = await countIn().catch((error: unknown) => (error as Error).message);
    const statement = /sqlite3 \S+ "(pragma application_id = 0)"/.exec(String(said))![1]!;
    const beside = new Database(path);
    beside.exec(statement);
    beside.close();
    expect(await countIn()).toBe(1);
  });

  it('is refused when all that an earlier version wrote was in a write-ahead file that is gone', async () => {
    const db = await connectStore({ url: path });
    await migrateStore(db, { url: path });
    await copyFile(path, join(folder, 'main.db'));
    await db.destroy();
    path = join(folder, 'main.db');
    expect((await stat(path)).size).toBe(4_096);
    await refused('has nothing in it');
  });

  it('is not taken for an empty one when its tables are all in a later page', async () => {
    // The root of the tree of tables, an inner page that has nothing but the way to its one child.
    const page = Buffer.alloc(4_096);
    page.write('SQLite format 3\0', 'latin1');
    page.writeUInt8(2, 18);
    page.writeUInt8(0x05, 100);
    await writeFile(path, page);
    expect(expectStore(path)).toBeUndefined();
    // A leaf without a table is empty.
    page.writeUInt8(0x0d, 100);
    await writeFile(path, page);
    expect(() => expectStore(path)).toThrow('has nothing in it');
  });

  it('opens when the marker beside it cannot be read, and is missed all the same when it goes', async () => {
    await stopped();
    await writeFile(`${path}.id`, '');
    expect(await countIn()).toBe(50);
    await writeFile(`${path}.id`, '');
    await rm(path);
    await refused('is missing');
  });
});

describe('an embedded store that never existed', () => {
  it('is made with its marker beside it', async () => {
    await stopped(1);
    const marker = JSON.parse(await readFile(`${path}.id`, 'utf8')) as object;
    expect(marker).toMatchObject({ isOpen: false, progress: { revision: 1, journal: 0 } });
  });

  it('is made after a first start that ended before the marker was written', async () => {
    await stopped(1);
    await rm(`${path}.id`);
    expect(await countIn()).toBe(1);
    expect(JSON.parse(await readFile(`${path}.id`, 'utf8'))).toMatchObject({ isOpen: false });
  });
});

/** 4 KB in the middle of the file, in place. */
const damage = async (): Promise<void> => {
  const { size } = await stat(path);
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(4_096, 0x5a), 0, 4_096, Math.floor(size / 8_192) * 4_096);
  await file.close();
};

describe('the check of an embedded store', () => {
  it('refuses a database with 4 KB damaged in its middle, with cause and remedy', async () => {
    await stopped(500);
    await damage();
    const error = await countIn().catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ code: 'invalid' });
    expect((error as Error).message).toMatch(/is damaged \(.*\): restore it from a backup/);
  });

  it('that takes too long goes on while the store is used, and tells what it finds then', async () => {
    await stopped(500);
    await damage();
    const damages: string[] = [];
    const onDamage = ({ message }: Error): void => void damages.push(message);
    const db = await openDatabase({ url: path }, { longestCheckMs: 0, onDamage });
    await expect.poll(() => damages).toEqual([expect.stringMatching(/is damaged \(.*\): restore it/)]);
    await db.destroy();
  });

  it('finds nothing in a whole one, and says in full what is wrong with a damaged one', async () => {
    await stopped(500);
    expect(await (await checkIntegrity(path, 'full')).findings).toEqual([]);
    await damage();
    expect(await (await checkIntegrity(path, 'full')).findings).not.toEqual([]);
  });
});

describe('the files of an open store', () => {
  let db: Store;
  let clock: HeapClock;
  let keeper: FileKeeper;
  let damages: string[];

  beforeEach(async () => {
    db = await openDatabase({ url: path });
    clock = new HeapClock(1_000_000);
    damages = [];
    const onFault = (error: unknown): void => {
      throw error;
    };
    keeper = new FileKeeper({ db, path, clock, onDamage: (text) => damages.push(text), onFault });
  });
  afterEach(async () => {
    await keeper.stop();
    await db.destroy();
  });

  it('are missed when they are taken away, which the database would not notice', async () => {
    await submitted(db, 10);
    await keeper.look();
    expect(damages).toEqual([]);
    await rm(path);
    await submitted(db, 10);
    await keeper.look();
    expect(damages).toEqual([
      expect.stringContaining('was removed while in use: stop the daemon and restore'),
    ]);
    await writeFile(path, 'x');
    await keeper.look();
    expect(damages[1]).toContain('was replaced while in use');
  });

  it('are checked again and again, so that damage is found where nothing reads', async () => {
    await submitted(db, 500);
    await sql`pragma wal_checkpoint(TRUNCATE)`.execute(db);
    await clock.advance(60_000);
    await keeper.look();
    await clock.advance(60_000);
    await keeper.look();
    await damage();
    const countAll = sql<{ n: number }>`select count(*) as n from containers`;
    expect((await countAll.execute(db)).rows[0]!.n).toBe(500);
    expect(damages).toEqual([]);
    const look = async (): Promise<string | undefined> => {
      await clock.advance(60_000);
      await keeper.look();
      return damages[0];
    };
    await expect.poll(look).toMatch(/is damaged \(.*\): restore it from a backup/);
  });

  it('stay bounded though the journal writes nothing', async () => {
    const large = Array.from({ length: 1_000 }, () => ({ ...request, env: { A: 'x'.repeat(4_000) } }));
    const store = storeOn(db);
    for (let round = 0; round < 20; round++) {
      await store.submit(large);
      await keeper.look();
    }
    await store.stop();
    expect((await stat(path)).size).toBeGreaterThan(60 * 2 ** 20);
    expect((await stat(`${path}-wal`)).size).toBeLessThan(32 * 2 ** 20);
  });

  it('tell how far the store has got, so that an older state is known after a crash as well', async () => {
    await submitted(db, 10);
    clock.setTimeout(() => {}, 60_000);
    await clock.advance(60_000);
    await keeper.look();
    const marker = JSON.parse(await readFile(`${path}.id`, 'utf8')) as object;
    expect(marker).toMatchObject({ isOpen: true, progress: { revision: 10 } });
  });
});
