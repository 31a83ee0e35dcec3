import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Modules and packages that are loaded before anything is awaited, from this file on. */
function loadedBy(file: string, files = new Set<string>(), packages = new Set<string>()) {
  files.add(relative(root, file));
  const text = readFileSync(file, 'utf8');
  const imports = text.matchAll(/^(?:import|export)(?!\s+type\b)[^;]*?from '([^']+)';|^import '([^']+)';/gm);
  for (const [, from = '', bare = ''] of imports) {
    const name = from || bare;
    if (!name.startsWith('.')) packages.add(name);
    else {
      const next = join(dirname(file), name.replace(/\.js$/, '.ts'));
      if (!files.has(relative(root, next))) loadedBy(next, files, packages);
    }
  }
  return { files, packages };
}

describe('the libraries of clouds', () => {
  const cloudLibrary = /^@(azure|aws-sdk|smithy)\//;

  it('are not loaded by a daemon that does not use them', () => {
    const { files, packages } = loadedBy(join(root, 'src/longshore.ts'));
    expect(files).toContain('src/drivers/registry.ts');
    expect([...packages].filter((name) => cloudLibrary.test(name))).toEqual([]);
  });

  it('are loaded by their driver', () => {
    const { packages } = loadedBy(join(root, 'src/drivers/azure/open-azure.ts'));
    expect([...packages].filter((name) => cloudLibrary.test(name)).sort()).toEqual([
      '@azure/arm-compute',
      '@azure/arm-network',
      '@azure/core-rest-pipeline',
      '@azure/identity',
    ]);
  });
});

describe('the inspector', () => {
  it('is not loaded by a daemon or a command that does not use it', () => {
    const { files, packages } = loadedBy(join(root, 'src/longshore.ts'));
    expect(files).toContain('src/inspector/inspect-choice.ts');
    expect([...files].filter((file) => /inspector\/(live|replay|viewer)/.test(file))).toEqual([]);
    expect(packages).not.toContain('@statelyai/inspect');
    expect(loadedBy(join(root, 'src/inspector/live-inspector.ts')).packages).toContain('@statelyai/inspect');
  });
});
