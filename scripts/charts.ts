// Writes the statecharts of the machines into docs/architecture.md; with --check only says whether that would change it.
import { readFileSync, writeFileSync } from 'node:fs';
import { machineChart, machines } from '../src/machines/inspection/machine-chart.js';

const path = new URL('../docs/architecture.md', import.meta.url);
const begin = '<!-- charts: written by `npm run charts`, do not edit below -->';
const text = readFileSync(path, 'utf8');
const head = text.slice(0, text.indexOf(begin) + begin.length);
const charts = Object.keys(machines).map((name) => {
  return `\n\n### ${name}\n\n${machines[name]!.config.description ?? ''}\n\n\`\`\`mermaid\n${machineChart(name, 'mermaid')}\n\`\`\``;
});
const wanted = `${head}${charts.join('')}\n`;
if (!process.argv.includes('--check')) writeFileSync(path, wanted);
else if (wanted !== text) {
  console.error('docs/architecture.md does not show the machines as they are: run npm run charts');
  process.exitCode = 1;
}
