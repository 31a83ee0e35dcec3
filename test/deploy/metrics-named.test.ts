import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { managementToken, startInProcess, type InProcess } from '../support/in-process.js';
import { namedIn } from './promql.js';

const folder = join(import.meta.dirname, '../../deploy');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

interface Alert {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}
interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

const alerts = (parse(read('prometheus-alerts.yaml')) as { groups: { rules: Alert[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const { panels } = JSON.parse(read('grafana-dashboard.json')) as { panels: Panel[] };
const charts = panels.filter(({ type }) => type !== 'row');

/** What Prometheus itself adds to each series, and the metric it makes. */
const ofPrometheus = ['job', 'instance'];
let world: InProcess;
/** Series that a scrape shows, with the labels that they have. */
const known = new Map<string, Set<string>>([['up', new Set()]]);

beforeAll(async () => {
  world = await startInProcess(`
managementToken: ${managementToken}
driver: loopback
instanceTypes: { small: { vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
`);
  interface Scraped {
    name: string;
    type: string;
    values: { metricName?: string; labels: Record<string, string> }[];
  }
  const scraped = (await world.ask('/metrics.json')).json as Scraped[];
  const { text } = await world.ask('/metrics');
  for (const { name } of scraped) known.set(name, new Set());
  for (const [, name, labels] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? /gm)) {
    const set = known.get(name!) ?? new Set();
    for (const [, label] of (labels ?? '').matchAll(/(\w+)="/g)) set.add(label!);
    known.set(name!, set);
  }
});
afterAll(() => world?.stop());

/** Labels of series that appear only once something happened. */
const latent: Readonly<Record<string, readonly string[]>> = {
  arvados_dispatchcloud_driver_errors: ['operation', 'code'],
  arvados_dispatchcloud_queue_entries: ['state', 'instance_type'],
  arvados_dispatchcloud_instances_run_probe_duration_seconds: ['outcome', 'quantile'],
};

function check(expression: string): void {
  const { metrics, groupedBy } = namedIn(expression);
  expect(metrics, expression).not.toEqual([]);
  const ofAll = new Set(ofPrometheus);
  for (const { metric, labels } of metrics) {
    expect([...known.keys()], expression).toContain(metric);
    const has = new Set([...(known.get(metric) ?? []), ...(latent[metric] ?? []), ...ofPrometheus]);
    for (const label of labels) expect([...has], `${label} of ${metric}`).toContain(label);
    for (const label of has) ofAll.add(label);
  }
  for (const label of groupedBy) expect([...ofAll], expression).toContain(label);
}

describe('the alerts for Prometheus', () => {
  it.each(alerts.map((alert) => [alert.alert, alert] as const))(
    '%s names what the daemon has',
    (_, alert) => {
      check(alert.expr);
      expect(alert.alert).toMatch(/^Longshore[A-Z]/);
      expect(['critical', 'warning', 'info']).toContain(alert.labels.severity);
      expect(Object.keys(alert.annotations).sort()).toEqual(['description', 'summary']);
      expect(alert.for ?? '0m').toMatch(/^\d+[smhd]$/);
      const used = Object.values(alert.annotations).flatMap((text) =>
        [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!),
      );
      const { groupedBy, metrics } = namedIn(alert.expr);
      const has = new Set([...groupedBy, ...metrics.flatMap(({ metric }) => [...(known.get(metric) ?? [])])]);
      for (const label of used) expect([...has]).toContain(label);
    },
  );

  it('have names of their own', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });
});

describe('the dashboard for Grafana', () => {
  it.each(charts.map((panel) => [panel.title, panel] as const))(
    '%s shows what the daemon has',
    (_, { targets }) => {
      expect(targets?.length).toBeGreaterThan(0);
      for (const { expr, legendFormat } of targets ?? []) {
        check(expr);
        const { groupedBy, metrics } = namedIn(expr);
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
        const has = metrics.flatMap(({ metric }) => [
          ...(known.get(metric) ?? []),
          ...(latent[metric] ?? []),
        ]);
        for (const label of labels) expect([...groupedBy, ...has, ...ofPrometheus]).toContain(label);
        expect(expr).toContain('job=~"$job"');
      }
    },
  );

  it('has its panels side by side, none over another', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w).toBeLessThanOrEqual(24);
      for (const { gridPos: b, title: other } of panels.slice(index + 1)) {
        const overlap = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
        expect(overlap, `${title} and ${other}`).toBe(false);
      }
    }
  });
});

describe('the reader of expressions that these tests use', () => {
  it('finds metrics, labels and groups, and trips over what it does not know', () => {
    expect(namedIn('sum by (a, b) (rate(x_total{c="1",d=~"2|3"}[5m])) / y > 0.5')).toEqual({
      groupedBy: ['a', 'b'],
      metrics: [
        { metric: 'x_total', labels: ['c', 'd'] },
        { metric: 'y', labels: [] },
      ],
    });
    expect(() => namedIn('x{nonsense}')).toThrow('no matcher');
    expect(namedIn('made_up_function(x)').metrics.map(({ metric }) => metric)).toContain('made_up_function');
  });
});
