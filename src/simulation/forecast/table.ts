import { formatDuration } from '../../domain/duration.js';
import type { Figures, Percentiles } from './figures.js';

/** The figures of one or more runs, one row for each figure, one column for each run. */
export function summaryRows(runs: readonly Figures[]): string[][] {
  const row = (name: string, of: (figures: Figures) => string): string[] => [name, ...runs.map(of)];
  return [
    row('cost', ({ cost }) => money(cost)),
    row('  while containers ran', ({ cost, costOf }) => part(costOf.busy, cost)),
    row('  while none did', ({ cost, costOf }) => part(costOf.idle, cost)),
    row('  before service', ({ cost, costOf }) => part(costOf.booting, cost)),
    row('  after the order to go', ({ cost, costOf }) => part(costOf.leaving, cost)),
    row('utilisation of VCPUs in service', ({ utilisation }) => percent(utilisation)),
    row('containers', ({ containers }) => String(containers.total)),
    row('  complete, cancelled, open', ({ containers: c }) => `${c.complete}, ${c.cancelled}, ${c.open}`),
    row('  begun more than once', ({ containers }) => String(containers.begunAgain)),
    row('wait p50, p90, p99, max', ({ waits }) => spans(waits)),
    row('from request to end p50, p90, p99, max', ({ turnarounds }) => spans(turnarounds)),
    row('instances, at once', ({ instances }) => `${instances.total}, ${instances.peak}`),
    row('  never in service', ({ instances }) => String(instances.neverServed)),
    row(
      'calls a minute, busiest minute',
      ({ calls }) => `${calls.perMinute.toFixed(1)}, ${calls.peakPerMinute}`,
    ),
    row('  throttled by the provider', ({ calls }) => String(calls.throttled)),
    row('time until all was done', ({ spanMs }) => span(spanMs)),
    row('broken invariants', ({ violations }) => String(violations)),
  ];
}

export const hourHead = ['hour', 'cost', 'instances', 'running', 'waiting', 'calls/min'];

export function hourRows({ hours }: Figures): string[][] {
  return hours.map(({ hour, cost, peakInstances, peakRunning, peakWaiting, peakCallsPerMinute }) =>
    [hour, money(cost), peakInstances, peakRunning, peakWaiting, peakCallsPerMinute].map(String),
  );
}

export const typeHead = ['type', 'instances', 'hours', 'cost', 'busy'];

export function typeRows({ byType }: Figures): string[][] {
  return byType.map(({ type, instances, hours, cost, busy }) => [
    type,
    String(instances),
    hours.toFixed(1),
    money(cost),
    percent(busy),
  ]);
}

export const money = (dollars: number): string => `$${dollars.toFixed(2)}`;
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function part(dollars: number, whole: number): string {
  return `${money(dollars)} (${percent(whole === 0 ? 0 : dollars / whole)})`;
}

/** To the second. */
function span(ms: number): string {
  return formatDuration(Math.round(ms / 1_000) * 1_000);
}

function spans({ p50, p90, p99, max }: Percentiles): string {
  return [p50, p90, p99, max].map(span).join(', ');
}
