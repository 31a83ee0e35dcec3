import { ask } from './api.js';
import { dateTime, money } from './format.js';
import { useLoaded, useNow } from './hooks.js';
import { Failure } from './pieces.js';
import { html, useEffect, useRef, useState, type VNode } from './vendor/preact.js';
import uPlot from './vendor/uplot.js';
import type { Costs } from './wire.js';

const spans: [number, string][] = [
  [24, 'day'],
  [24 * 7, 'week'],
  [24 * 31, 'month'],
];
const hues = [212, 150, 32, 280, 350, 90, 180, 60];

/** Cost of the fleet, by hour and type. */
export function CostsView(): VNode {
  const [hours, setHours] = useState(24);
  const minute = Math.floor(useNow(60_000) / 60_000);
  const { value, error } = useLoaded<Costs>(() => ask(`/v1/costs?hours=${hours}`), [hours, minute]);
  return html`<div class="heading">
      <h1>Costs</h1>
      <div class="buttons" role="group" aria-label="Span">
        ${spans.map(
          ([span, title]) =>
            html`<button key=${span} aria-pressed=${hours === span} onClick=${() => setHours(span)}>
              ${title}
            </button>`,
        )}
      </div>
      ${value ? html`<strong class="number">${money(value.total, 2)}</strong>` : null}
    </div>
    <${Failure} text=${error} />
    ${value ? html`<${Plots} costs=${value} /><${Table} costs=${value} />` : null}`;
}

const typesOf = (costs: Costs): string[] =>
  [...new Set(costs.hours.flatMap(({ byType }) => Object.keys(byType)))].sort();

function Plots({ costs }: { costs: Costs }): VNode {
  const box = useRef<HTMLDivElement | null>(null);
  useEffect(() => {
    const plots = [costPlot(box.current!, costs), instancePlot(box.current!, costs)];
    const observer = new ResizeObserver(() => {
      for (const plot of plots) plot.setSize({ width: box.current!.clientWidth - 24, height: plot.height });
    });
    observer.observe(box.current!);
    return () => {
      observer.disconnect();
      for (const plot of plots) plot.destroy();
    };
  }, [costs]);
  return html`<section
    class="card"
    aria-label="Plots; the table below has the same figures"
    ref=${box}
  ></section>`;
}

const axes = (unit: (value: number) => string): uPlot.Axis[] => {
  const stroke = getComputedStyle(document.body).color;
  const grid = { stroke: 'rgb(128 128 128 / 0.2)' };
  return [
    { stroke, grid },
    { stroke, grid, size: 70, values: (_plot, values) => values.map(unit) },
  ];
};

/** The start of each hour, and the end of the last one: epoch seconds. */
const timesOf = ({ hours }: Costs): number[] =>
  closed(hours.map(({ startAt }) => startAt / 1_000)).map((at, index) =>
    index < hours.length ? at : at + 3_600,
  );

/** Draws the last hour to its end. */
const closed = (values: number[]): number[] => [...values, values.at(-1) ?? 0];

/** Stacks the types. */
function costPlot(box: HTMLElement, costs: Costs): uPlot {
  const types = typesOf(costs);
  const sums = costs.hours.map(() => 0);
  const stacked = types.map((type) =>
    costs.hours.map(({ byType }, index) => (sums[index] = sums[index]! + (byType[type] ?? 0))),
  );
  const series = types.map((type, index) => ({
    label: type,
    stroke: `hsl(${hues[index % hues.length]} 65% 50%)`,
    fill: `hsl(${hues[index % hues.length]} 65% 50% / 0.35)`,
    paths: uPlot.paths.stepped!({ align: 1 }),
    points: { show: false },
    value: (_plot: uPlot, _value: number, _series: number, at: number | null) =>
      at === null ? '–' : money(costs.hours[Math.min(at, costs.hours.length - 1)]?.byType[type] ?? 0),
  }));
  return new uPlot(
    {
      title: 'Dollars per hour, by type',
      width: box.clientWidth - 24,
      height: 260,
      series: [{}, ...series.toReversed()],
      axes: axes((value) => money(value, sums.every((sum) => sum < 0.1) ? 4 : 2)),
    },
    [timesOf(costs), ...stacked.map(closed).toReversed()],
    box,
  );
}

function instancePlot(box: HTMLElement, costs: Costs): uPlot {
  return new uPlot(
    {
      title: 'Instances by hour',
      width: box.clientWidth - 24,
      height: 160,
      series: [
        {},
        {
          label: 'instances',
          stroke: 'hsl(212 65% 50%)',
          paths: uPlot.paths.stepped!({ align: 1 }),
          points: { show: false },
        },
      ],
      axes: axes((value) => (Number.isInteger(value) ? String(value) : '')),
    },
    [timesOf(costs), closed(costs.hours.map(({ instances }) => instances))],
    box,
  );
}

function Table({ costs }: { costs: Costs }): VNode {
  const types = typesOf(costs);
  const rows = costs.hours.filter(({ instances }) => instances > 0).toReversed();
  return html`<section class="card scroll" tabindex="0" aria-label="Costs by hour">
    <table>
      <thead>
        <tr>
          <th scope="col">Hour</th>
          <th scope="col">Cost</th>
          <th scope="col">Instances</th>
          ${types.map((type) => html`<th key=${type} scope="col">${type}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ startAt, cost, instances, byType }) =>
            html`<tr key=${startAt}>
              <th scope="row">${dateTime(startAt)}</th>
              <td class="number">${money(cost)}</td>
              <td class="number">${instances}</td>
              ${types.map((type) => html`<td key=${type} class="number">${byType[type] ? money(byType[type]) : ''}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
    ${rows.length === 0 ? html`<p class="quiet">No instances.</p>` : null}
  </section>`;
}
