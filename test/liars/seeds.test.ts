import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partsOf } from './judge.js';
import { playSeed } from './play-seed.js';

/** Seeds of `scripts/liars` whose lies are of different kinds: what lists say, claims on others, floods, host keys. */
const seeds = [1, 2, 7];

describe('a daemon beside instances that lie', { timeout: 600_000 }, () => {
  let folder: string;
  const children = new Set<ChildProcess>();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-liars-'));
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });

  it.each(seeds)('stays within every bound, and serves honest ones, with seed %i', async (seed) => {
    const figures = await playSeed(seed, {
      folder,
      onStarted: (child) => void children.add(child),
      signal: new AbortController().signal,
    });
    const bad = partsOf(figures).filter(({ isWell }) => !isWell);
    expect([figures.plan, ...bad.map(({ text }) => text)]).toEqual([figures.plan]);
    expect(figures.liars.filter(({ lie }) => lie !== undefined)).not.toEqual([]);
  });
});
