import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Measured } from './meter.js';

const meter = new URL('meter.ts', import.meta.url).href;

/** What a process measures of itself that does this for some time. */
async function measureWhile(does: string): Promise<Measured[]> {
  const program = `
    import { startMeter } from ${JSON.stringify(meter)};
    startMeter((measured) => process.send(measured));
    process.on('disconnect', () => process.exit(0));
    ${does}`;
  const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const all: Measured[] = [];
  child.on('message', (message: Measured) => all.push(message));
  try {
    await expect.poll(() => all.length).toBeGreaterThan(6);
    return all;
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

describe('what a process under attack measures of itself', () => {
  it('sees a turn that takes its processor', async () => {
    const busy = `setTimeout(() => { const cpu = process.cpuUsage().user;
      while (process.cpuUsage().user - cpu < 300_000); }, 1_200);`;
    const longest = Math.max(...(await measureWhile(busy)).map(({ longestOwnTurnMs }) => longestOwnTurnMs));
    expect(longest).toBeGreaterThan(200);
  });

  it('sees memory that is held, not garbage', async () => {
    const first = (all: Measured[]): number => all[0]!.heldBytes;
    const last = (all: Measured[]): number => all.at(-1)!.heldBytes;
    const holds =
      'const kept = []; setTimeout(() => kept.push(Buffer.alloc(90 * 2 ** 20)), 700); process.kept = kept;';
    const wastes = 'setTimeout(() => { for (let i = 0; i < 9; i++) new Array(1_000_000).fill(i); }, 700);';
    const held = await measureWhile(holds);
    expect(last(held) - first(held)).toBeGreaterThan(80 * 2 ** 20);
    const wasted = await measureWhile(wastes);
    expect(last(wasted) - first(wasted)).toBeLessThan(20 * 2 ** 20);
  });
});
