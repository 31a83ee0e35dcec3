import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.js';
import { loadWorkload } from '../../../src/simulation/forecast/workload-file.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'longshore-workload-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(text: string, name = 'work.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const problemsOf = async (text: string, name?: string): Promise<string> => {
  const error = await loadWorkload(write(text, name), 1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
};

describe('a workload file', () => {
  it('writes containers out, in the order of their times', async () => {
    const { workload, hours } = await loadWorkload(
      write(`containers:
  - { at: 90m, vcpus: 4, ram: 8GiB, duration: 1h, name: late, preemptible: true, exitCode: 3 }
  - { count: 2, vcpus: 1, ram: 1GiB, duration: 5m, name: early, priority: 7 }`),
      1,
    );
    expect(hours).toBe(2);
    expect(workload.map(({ atMs, request }) => [atMs, request.name, request.priority])).toEqual([
      [0, 'early-1', 7n],
      [0, 'early-2', 7n],
      [5_400_000, 'late', 500n],
    ]);
    expect(workload[2]).toMatchObject({
      durationMs: 3_600_000,
      exitCode: 3,
      request: { constraints: { vcpus: 4, ramBytes: 2 ** 33 }, scheduling: { preemptible: true } },
    });
  });

  it('generates the same from the same seed, between its times', async () => {
    const path = write(`hours: 10
generate:
  - { from: 2h, to: 4h, perHour: 50, sizes: [{ vcpus: 2, ram: 4GiB, duration: 10m }] }
provider: { boot: 90s, quota: 12 }`);
    const [first, again, other] = [
      await loadWorkload(path, 7),
      await loadWorkload(path, 7),
      await loadWorkload(path, 8),
    ];
    expect(first.workload).toEqual(again.workload);
    expect(first.workload).not.toEqual(other.workload);
    expect([first.hours, first.world]).toEqual([10, { bootMs: 90_000, quota: 12 }]);
    expect(first.workload.length).toBeGreaterThan(50);
    for (const { atMs } of first.workload) {
      expect(atMs).toBeGreaterThanOrEqual(2 * 3_600_000);
      expect(atMs).toBeLessThan(4 * 3_600_000);
    }
  });

  it('is made from a past journal', async () => {
    const wish = {
      createdAt: 1_000,
      vcpus: 2,
      ramBytes: 2 ** 30,
      scratchBytes: 5,
      preemptible: false,
      priority: '9',
    };
    const entries = [
      { at: 2_000, kind: 'plan.lock', container: 'a', data: wish },
      { at: 3_000, kind: 'container.started', container: 'a' },
      { at: 4_000, kind: 'plan.lock', container: 'b', data: { ...wish, createdAt: 3_500 } },
      { at: 5_000, kind: 'plan.lock', container: 'c', data: wish },
      { at: 6_000, kind: 'container.started', container: 'b' },
      {
        at: 9_000,
        kind: 'container.complete',
        container: 'a',
        data: { exitCode: 4, startedAt: 3_100, finishedAt: 8_100 },
      },
      { at: 9_500, kind: 'container.cancelled', container: 'b' },
    ];
    const text = entries.map((entry) => JSON.stringify(entry)).join('\n');
    const { workload, notes } = await loadWorkload(write(text, 'past.jsonl'), 1);
    expect(notes).toEqual(['1 containers of the journal had not ended and are left out']);
    expect(workload).toMatchObject([
      { atMs: 0, durationMs: 5_000, exitCode: 4, request: { priority: 9n, tmpMountBytes: 5 } },
      { atMs: 2_500, durationMs: 3_500, request: { constraints: { vcpus: 2, ramBytes: 2 ** 30 } } },
    ]);
  });

  it('is shown by an example', async () => {
    const { workload, hours } = await loadWorkload(
      join(import.meta.dirname, '../../../examples/burst.yaml'),
      1,
    );
    expect([hours, workload.length > 500]).toEqual([12, true]);
  });

  it('is refused with place and remedy', async () => {
    expect(await problemsOf('hours: 3')).toContain('says nothing of any container');
    expect(await problemsOf('containers:\n  - { vcpus: 1, ram: 1GiB, duration: soon }')).toMatch(
      /work\.yaml:2:\d+: containers\.0\.duration: "soon" is no duration/,
    );
    expect(await problemsOf('containers: [{ vcpus: 0, ram: 1GiB, duration: 1m }]')).toContain(
      'containers.0.vcpus',
    );
    expect(await problemsOf('container: []')).toContain('container');
    expect(await problemsOf('generate: [{ perHour: 3, sizes: [] }]')).toContain('generate.0.sizes');
    expect(await problemsOf('a: [')).toContain('this is no YAML');
    expect(await problemsOf('not json', 'bad.jsonl')).toContain('bad.jsonl:1:1: this is no journal entry');
    expect(await problemsOf('{"at":1,"kind":"x"}', 'none.jsonl')).toContain(
      'no container that ran to its end',
    );
    await expect(loadWorkload(join(folder, 'missing.yaml'), 1)).rejects.toThrow('cannot be read (ENOENT)');
    await expect(loadWorkload(join(folder, 'missing.jsonl'), 1)).rejects.toThrow('cannot be read (ENOENT)');
  });
});
