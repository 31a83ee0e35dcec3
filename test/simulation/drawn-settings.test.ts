import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { fileSchema } from '../../src/config/schema.js';
import { parseConfig } from '../../src/config/load.js';
import {
  drawnSettings,
  drawSettings,
  settingsText,
  undrawnSettings,
} from '../../src/simulation/drawn-settings.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';

interface Schema {
  properties?: Record<string, Schema>;
}

/** The path of each setting the file may have. */
function pathsOf({ properties = {} }: Schema, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([name, schema]) =>
    schema.properties ? pathsOf(schema, `${prefix}${name}.`) : [`${prefix}${name}`],
  );
}

const paths = pathsOf(z.toJSONSchema(fileSchema, { io: 'input', unrepresentable: 'any' }) as Schema);
const isExcepted = (path: string): boolean =>
  Object.keys(undrawnSettings).some((each) => (each.endsWith('.') ? path.startsWith(each) : path === each));

it('draws every setting of the configuration at random, or says why not', () => {
  expect(paths.length).toBeGreaterThan(70);
  expect(paths.filter((path) => !(path in drawnSettings) && !isExcepted(path))).toEqual([]);
});

it('draws no setting that there is not, and excepts none that is drawn or is gone', () => {
  expect(Object.keys(drawnSettings).filter((path) => !paths.includes(path) || isExcepted(path))).toEqual([]);
  const gone = Object.keys(undrawnSettings).filter(
    (each) => !paths.some((path) => (each.endsWith('.') ? path.startsWith(each) : path === each)),
  );
  expect(gone).toEqual([]);
  expect(Object.values(undrawnSettings).every((why) => why.length > 10)).toBe(true);
});

const parse = (settings: ReadonlyMap<string, string>) =>
  parseConfig(
    `clusterId: simul
instanceTypes: { small: { vcpus: 2, ram: 4GiB, price: 0.1 } }
${settingsText(settings)}`,
    { path: '/simulated.yaml', env: {}, secrets: [] },
  );

it.each(Object.keys(drawnSettings))('gives the daemon another %s for another value', (path) => {
  const configs = [...new Set(drawnSettings[path])].map((value) => parse(new Map([[path, value]])));
  for (const [index, config] of configs.entries()) {
    const same = configs.slice(0, index).filter((earlier) => isDeepStrictEqual(earlier, config));
    expect(same).toEqual([]);
  }
  expect(configs.length).toBeGreaterThan(1);
});

it('comes upon every value of every setting within 200 seeds', () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    for (const [path, value] of drawSettings(1, new SeededRandom(seed))) seen.add(`${path}: ${value}`);
  }
  const all = Object.entries(drawnSettings).flatMap(([path, values]) =>
    values.map((value) => `${path}: ${value}`),
  );
  expect(all.filter((each) => !seen.has(each))).toEqual([]);
});
