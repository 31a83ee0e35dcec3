import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/queue/store/database.js';
import { lockStore } from '../../../src/queue/store/store-lock.js';
import { storeContract } from './contract.js';

let folder: string;

storeContract('libsql', {
  begin: async () => {},
  create: async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-store-'));
    return { url: join(folder, 'store.db') };
  },
  remove: () => rm(folder, { recursive: true }),
  end: async () => {},
});

describe('the file of an embedded store', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-store-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is for one process at a time', () => {
    const path = join(folder, 'other.db');
    const release = lockStore(path);
    expect(() => lockStore(path)).toThrow(`in use by process ${process.pid}`);
    release();
    lockStore(path)();
  });

  it('is refused by name when it is no store', async () => {
    await writeFile(join(folder, 'x.db'), 'hello '.repeat(1_000));
    await expect(openDatabase({ url: join(folder, 'x.db') })).rejects.toMatchObject({ code: 'invalid' });
  });
});
