import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InProcess } from '../support/in-process.js';
import { runCommand } from '../support/command-line.js';
import { sharedFleet, type SharedFleet } from '../support/shared-fleet.js';

const patient = { timeout: 60_000, interval: 50 };
const pageBytes = 4_096;

describe('a daemon whose embedded store is damaged while it runs', { timeout: 120_000 }, () => {
  let fleet: SharedFleet;
  let app: InProcess;

  beforeEach(async () => {
    fleet = sharedFleet();
    fleet.runMs = 3_600_000;
    app = await fleet.daemon('only', './state/longshore.db');
  });
  afterEach(async () => {
    await app.stop();
    await fleet.close();
  });

  const submit = (count: number) =>
    app.ask('/v1/containers', {
      body: {
        containers: Array.from({ length: count }, () => ({
          command: ['true'],
          env: { A: 'x'.repeat(3_000) },
          vcpus: 1,
          ram: '1MiB',
        })),
      },
    });
  const damage = async (): Promise<void> => {
    const path = join(app.folder, 'state', 'longshore.db');
    const beside = new Database(path);
    beside.pragma('wal_checkpoint(TRUNCATE)');
    beside.close();
    const { size } = await stat(path);
    const file = await open(path, 'r+');
    const from = Math.floor(size / pageBytes / 4) * pageBytes;
    await file.write(Buffer.alloc(Math.floor(size / 2), 0x5a), 0, undefined, from);
    await file.close();
  };
  const health = async (): Promise<string> => (await app.ask('/v1/status')).json.health as string;

  it('says so in health, status, metrics and commands, and acknowledges nothing that it cannot run', async () => {
    expect((await submit(4_000)).status).toBe(201);
    expect(await health()).toBe('OK');
    await damage();
    await expect
      .poll(async () => {
        await app.ask('/v1/containers?limit=1000');
        return health();
      }, patient)
      .toMatch(/^the store is damaged since .*: the file is damaged: restore it from a backup/);
    const refused = await submit(1);
    expect([refused.status, refused.text]).toEqual([
      503,
      expect.stringContaining('submission refused: the store is damaged since'),
    ]);
    expect((await app.ask('/_health/ping')).json).toMatchObject({
      health: 'ERROR',
      error: expect.stringContaining('the store is damaged') as string,
    });
    const { text } = await app.ask('/metrics');
    expect(text).toMatch(/^longshore_store_damaged 1$/m);
    expect(text).toMatch(/^longshore_store_damage_errors_total [1-9]/m);
    const status = runCommand(app, ['status']);
    expect([await status.exitCode, status.output.out]).toEqual([
      1,
      expect.stringContaining('the store is damaged since'),
    ]);
    // What can be read is read.
    expect((await app.ask('/v1/instances')).status).toBe(200);
    expect((await app.ask('/v1/fleet')).status).toBe(200);
  });
});
