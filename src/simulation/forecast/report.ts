import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { reportScript } from './report-script.js';
import { hourHead, hourRows, summaryRows, typeHead, typeRows } from './table.js';
import type { Forecast } from './forecast-result.js';

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid rgb(128 128 128 / .3); }
th:first-child, td:first-child { text-align: left; white-space: pre; }
.wide { overflow-x: auto; } .plot { margin: 1rem 0; min-height: 240px; }
.bad { color: #b3261e; font-weight: 600; } .uplot { font: inherit; }
`;

/** One file with figures and plots; it fetches nothing. */
export function reportPage({ workload, seed, hours, notes, runs }: Forecast): string {
  const require = createRequire(import.meta.url);
  const uplot = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const uplotStyle = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const names = runs.map(({ config }) => config);
  const data = runs.map(({ config, series, figures }) => ({ config, series, hours: figures.hours }));
  const details = runs.map(
    ({ config, figures }) => `
<h2>By the hour: ${text(config)}</h2>
${table(hourHead, hourRows(figures))}
<h2>By instance type: ${text(config)}</h2>
${table(typeHead, typeRows(figures))}`,
  );
  const violations = runs.flatMap(({ config, violations: found }) =>
    found.map(({ rule, what }) => `<p class="bad">${text(config)}: ${text(rule)}: ${text(what)}</p>`),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>Longshore: ${text(workload)}</title>
<style>${uplotStyle}${style}</style>
</head>
<body>
<h1>What ${text(workload)} comes to</h1>
<p>Work that arrives over ${hours} hours, simulated with seed ${seed}, with the daemon’s own scheduler and statecharts.</p>
${notes.map((note) => `<p>${text(note)}.</p>`).join('\n')}
${violations.join('\n')}
${table(['', ...names], summaryRows(runs.map(({ figures }) => figures)))}
<h2>Over time</h2>
<div id="plots"></div>
${details.join('\n')}
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${uplot}</script>
<script>${reportScript}</script>
</body>
</html>
`;
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${text(cell)}</${tag}>`).join('')}</tr>`;
  const body = rows.map((cells) => row(cells, 'td')).join('\n');
  return `<div class="wide"><table><thead>${row(head, 'th')}</thead><tbody>${body}</tbody></table></div>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function text(value: string): string {
  return value.replace(/[&<>"]/g, (character) => entities[character]!);
}
