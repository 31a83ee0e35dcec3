import { execFile, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';

const root = join(import.meta.dirname, '../..');
const filesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('a clone of the project', () => {
  it('tells users to run nothing that asks a registry for a program by name', () => {
    const shown = ['bin', 'deploy', 'docs', 'examples', 'scripts', 'src'].flatMap(filesOf);
    const asking = [join(root, 'README.md'), ...shown].flatMap((path) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => /\bnpx\b|\bnpm (exec|x)\b|\bnpm (i|install) (-g |--global )?longshore/.test(line))
        .map((line) => `${path}: ${line}`),
    );
    expect(asking).toEqual([]);
    expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).toMatchObject({ private: true });
  });

  it('runs its own program from any folder, by a link too, and says what to do before it is built', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longshore clone '));
    try {
      mkdirSync(join(folder, 'bin'));
      cpSync(join(root, 'bin/longshore'), join(folder, 'bin/longshore'));
      symlinkSync(join(folder, 'bin/longshore'), join(folder, 'link'));
      const unbuilt = spawnSync(join(folder, 'link'), ['queue'], { cwd: tmpdir(), encoding: 'utf8' });
      expect([unbuilt.status, unbuilt.stderr]).toEqual([2, expect.stringContaining('npm run build')]);
      mkdirSync(join(folder, 'dist'));
      writeFileSync(join(folder, 'dist/main.js'), 'console.log(JSON.stringify(process.argv.slice(2)))');
      const built = await promisify(execFile)(join(folder, 'link'), ['submit', 'a b', '$HOME'], {
        cwd: tmpdir(),
      });
      expect(JSON.parse(built.stdout)).toEqual(['submit', 'a b', '$HOME']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('keeps no state of an example in git', () => {
    const examples = readdirSync(join(root, 'examples')).filter(
      (name) => name.endsWith('.yaml') && name !== 'burst.yaml',
    );
    expect(examples.length).toBeGreaterThan(5);
    const env = new Proxy({}, { get: () => 'a-value' }) as NodeJS.ProcessEnv;
    const paths = examples.flatMap((name) => {
      const { stateDir, store } = loadConfig(join(root, 'examples', name), env, []);
      const kept = ['dispatch-key', 'system-root-token', 'management-token'].map((file) =>
        join(stateDir, file),
      );
      return store.startsWith('postgres') ? kept : [...kept, store];
    });
    const inside = [...new Set(paths)].filter((path) => path.startsWith(root));
    const args = ['check-ignore', '--no-index', ...inside];
    const { stdout, status, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    if (status === 128 && stderr.includes('not a git repository')) return;
    expect(stdout.trim().split('\n').sort()).toEqual(inside.sort());
  });
});
