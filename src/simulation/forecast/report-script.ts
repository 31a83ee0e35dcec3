/** Runs in the browser, after uPlot: draws the plots from the data in the page. */
export const reportScript = `
(() => {
  const runs = JSON.parse(document.getElementById('data').textContent);
  const box = document.getElementById('plots');
  const color = getComputedStyle(document.body).color;
  const grid = { stroke: 'rgb(128 128 128 / 0.2)' };
  const hues = [212, 24, 150, 280];
  const plots = [];
  const draw = (title, stepHours, valuesOf, format) => {
    const columns = runs.map(valuesOf);
    const length = Math.max(...columns.map((column) => column.length));
    const times = Array.from({ length }, (_, index) => index * stepHours);
    const place = document.createElement('div');
    place.className = 'plot';
    box.append(place);
    const series = runs.map(({ config }, index) => ({
      label: config,
      stroke: 'hsl(' + hues[index % hues.length] + ' 65% 50%)',
      fill: 'hsl(' + hues[index % hues.length] + ' 65% 50% / 0.12)',
      paths: uPlot.paths.stepped({ align: 1 }),
      points: { show: false },
      value: (_plot, value) => (value == null ? '' : format(value)),
    }));
    const axes = [
      { stroke: color, grid, values: (_plot, hours) => hours.map((hour) => hour + ' h') },
      { stroke: color, grid, size: 70, values: (_plot, values) => values.map(format) },
    ];
    const hour = { label: 'hour', value: (_plot, value) => (value == null ? '' : value.toFixed(2)) };
    const options = {
      title, width: box.clientWidth, height: 240, scales: { x: { time: false } },
      series: [hour, ...series], axes,
    };
    const padded = columns.map((column) => times.map((_, index) => column[index] ?? null));
    plots.push(new uPlot(options, [times, ...padded], place));
  };
  const count = (value) => String(Math.round(value));
  const stepMs = Math.max(...runs.map(({ series }) => series.stepMs));
  const coarse = (run, name) => {
    const every = Math.round(stepMs / run.series.stepMs);
    const values = run.series[name];
    const result = [];
    for (let at = 0; at < values.length; at += every) result.push(Math.max(...values.slice(at, at + every)));
    return result;
  };
  const step = stepMs / 3600000;
  draw('Instances', step, (run) => coarse(run, 'instances'), count);
  draw('Containers that run', step, (run) => coarse(run, 'running'), count);
  draw('Containers that wait', step, (run) => coarse(run, 'waiting'), count);
  draw('Cost by the hour', 1, (run) => run.hours.map(({ cost }) => cost), (value) => '$' + value.toFixed(2));
  draw('Calls to the provider in the busiest minute', step, (run) => coarse(run, 'calls'), count);
  addEventListener('resize', () => {
    for (const plot of plots) plot.setSize({ width: box.clientWidth, height: 240 });
  });
})();
`;
