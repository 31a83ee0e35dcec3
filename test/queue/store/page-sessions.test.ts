import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, type TestContext } from 'vitest';
import type { PageSession } from '../../../src/domain/page-session.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { SqlPageSessions } from '../../../src/queue/store/page-sessions.js';
import type { StoreTarget } from '../../../src/queue/store/store-url.js';
import { postgresSource } from '../../support/postgres-source.js';

const postgres = postgresSource();
const folders: string[] = [];
const stores: [string, (context: TestContext) => Promise<StoreTarget>][] = [
  [
    'the embedded store',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'longshore-page-sessions-'));
      folders.push(folder);
      return { url: join(folder, 'store.db') };
    },
  ],
  [
    'PostgreSQL',
    async (context) => {
      await postgres.begin(context);
      return postgres.create();
    },
  ],
];

describe.each(stores)('logins of browsers in %s', { timeout: 120_000 }, (_name, open) => {
  afterAll(async () => {
    await postgres.end();
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  it('are found, listed and removed; expired ones go, and the oldest beyond the limit', async (context) => {
    const db = await openDatabase(await open(context));
    try {
      const sessions = new SqlPageSessions(db);
      const session = (index: number, expiresAt = 1e13): PageSession => ({
        hash: `hash-${index}`,
        address: '127.0.0.1',
        openedAt: 1_700_000_000_000 + index,
        expiresAt,
      });
      await sessions.add(session(0, 1_700_000_000_003), 3);
      for (const index of [1, 2]) await sessions.add(session(index), 3);
      expect((await sessions.list(1_700_000_000_000)).map(({ hash }) => hash)).toEqual([
        'hash-0',
        'hash-1',
        'hash-2',
      ]);
      expect(await sessions.list(1_700_000_000_003)).toEqual([session(1), session(2)]);
      await sessions.add(session(3), 3);
      expect(await sessions.find('hash-0')).toBeUndefined();
      await sessions.add(session(4), 3);
      expect([await sessions.find('hash-1'), await sessions.find('hash-2')]).toEqual([undefined, session(2)]);
      await sessions.remove('hash-2');
      expect(await sessions.list(0)).toEqual([session(3), session(4)]);
    } finally {
      await db.destroy();
    }
  });
});
