import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { machines } from '../../src/machines/inspection/machine-chart.js';
import { editorFaults } from '../support/editor-import.js';

const folder = new URL('../../src/machines/', import.meta.url);
const sourceOf = (file: string): string => readFileSync(new URL(file, folder), 'utf8');
const machineFiles = readdirSync(folder).filter(
  (file) => file.endsWith('.ts') && /\bcreateMachine\(/.test(sourceOf(file)),
);

/** A machine with one thing in its configuration. */
const machineWith = (config: string): string => `
import { setup } from 'xstate';
import { limits, shared, pause } from './elsewhere.js';
export const machine = setup({ delays: { pause: () => 1 } }).createMachine({
  id: 'small',
  initial: 'off',
  context: ({ input }) => ({ ...input }),
  states: { off: { description: 'Off.' }, on: { invoke: { src: 'work', input: ({ context }) => context.work } } },
  ${config}
});`;

describe('the Stately editor', () => {
  it('finds every machine in a file of its own', () => {
    expect(machineFiles.map((file) => file.replace(/\.ts$/, '')).sort()).toEqual(
      Object.keys(machines).sort(),
    );
  });

  it.each(machineFiles)('can read %s', (file) => {
    expect(editorFaults(sourceOf(file))).toEqual([]);
  });

  it('is taken to read names, literals, and what is code by nature', () => {
    const plain = `on: { go: [{ guard: 'mayGo', target: '.on', reenter: true }], stop: {} }, after: { pause: '.off' }, tags: []`;
    expect(editorFaults(machineWith(plain))).toEqual([]);
  });

  it.each([
    ['a spread', '...shared,', 'spread: ...shared'],
    ['a spread in a list', `entry: ['note', ...shared.actions],`, 'spread: ...shared.actions'],
    ['a computed key', `on: { [shared.event]: '.on' },`, 'computed key: [shared.event]'],
    ['a call', `states2: shared('on'),`, `call: shared('on')`],
    ['an imported constant', 'states2: shared,', 'constant from elsewhere: shared'],
    ['a field of one', 'after: { pause: limits.target },', 'constant from elsewhere: limits.target'],
    ['an imported constant by its own name', 'after: { pause },', 'no literal: pause'],
    ['a function', 'entry: () => {},', 'function: () => {}'],
    ['a method', 'entry() {},', 'no literal: entry() {}'],
    ['a composed text', 'description: `${shared} things`,', 'no literal: `${shared} things`'],
    ['a choice', `entry: shared ? 'a' : 'b',`, `no literal: shared ? 'a' : 'b'`],
  ])('is known to lose %s', (_what, config, fault) => {
    expect(editorFaults(machineWith(config))).toEqual([fault]);
  });

  it('is known to lose a configuration from elsewhere, and more than one machine in a file', () => {
    expect(editorFaults(`const m = setup({}).createMachine(config);`)).toEqual([
      'constant from elsewhere: config',
    ]);
    expect(editorFaults(machineWith('') + machineWith(''))).toEqual(['2 machines in one file']);
  });
});
