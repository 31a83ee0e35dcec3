import { formatDuration } from '../domain/duration.js';
import type { FleetNow } from './fleet-follower.js';
import { fitColumns, type TableColumn } from './fit-columns.js';
import { printable } from './output.js';
import type { InstanceBody } from './wire.js';

export const fleetOrders = ['state', 'cost', 'age', 'name'] as const;
/** The sort order of the instances. */
export type FleetOrder = (typeof fleetOrders)[number];

export interface PictureOptions {
  columns: number;
  /** Maximum number of listed instances; the rest is shown as a count. */
  rows: number;
  order: FleetOrder;
  hasColor: boolean;
  /** Epoch ms. */
  nowMs: number;
  /** Replaces the time when the snapshot is outdated. */
  trouble: string;
}

const stateOrder = ['running', 'idle', 'booting', 'unknown', 'shutdown'];
const colors: Readonly<Record<string, number>> = {
  running: 32,
  idle: 36,
  booting: 33,
  unknown: 35,
  shutdown: 90,
};
const bold = 1;
const red = 31;

type Paint = (code: number | undefined, text: string) => string;

/** Returns the fleet as lines of text, none wider than the terminal. */
export function fleetPicture(now: FleetNow, options: PictureOptions): string[] {
  const paint: Paint = (code, text) =>
    options.hasColor && code !== undefined ? `\u001b[${code}m${text}\u001b[0m` : text;
  const rows = now.instances.toSorted(comparisons[options.order]);
  const shown = rows.slice(0, Math.max(options.rows, 0));
  const lines = [...heading(now, options, paint), '', ...table(shown, options, paint)];
  if (shown.length < rows.length) lines.push(`… and ${rows.length - shown.length} more`);
  return lines;
}

function heading({ fleet, instances }: FleetNow, options: PictureOptions, paint: Paint): string[] {
  const { columns, trouble } = options;
  const cut = (text: string): string => clipped(printable(text), columns);
  const counts = (of: Record<string, number>): string =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none';
  const when = trouble === '' ? fleet.at.slice(11, 19) : trouble;
  const lines = [
    paint(
      bold,
      cut(
        `longshore ${fleet.version}  ${instances.length} instances  $${fleet.costPerHour.toFixed(4)}/h  ${when}`,
      ),
    ),
    cut(`instances   ${counts(fleet.instances)}`),
    cut(`containers  ${counts(outcomesOf(fleet))}`),
    ...fleet.waits.slice(0, 3).map(({ count, example }) => cut(`waiting     ${count} × ${example}`)),
    ...fleet.breakers.slice(0, 3).map(({ key, reason }) => paint(red, cut(`breaker     ${key}: ${reason}`))),
  ];
  if (fleet.atQuota) lines.push(paint(red, cut('at quota    instance quota reached')));
  if (fleet.health !== 'OK') lines.push(paint(red, cut(`health      ${fleet.health}`)));
  return lines;
}

/** A container with a nonzero exit code counts as failed; the API counts it as complete. */
function outcomesOf({ containers, failed }: FleetNow['fleet']): Record<string, number> {
  const { Complete: complete, ...others } = containers;
  if (complete === undefined || !failed) return containers;
  return { ...others, Complete: complete - failed, Failed: failed };
}

interface Column extends TableColumn {
  of(instance: InstanceBody, nowMs: number): string;
}

const columnsOf: readonly Column[] = [
  { head: 'INSTANCE', priority: 9, least: 32, of: ({ instance, launch }) => instance || `(${launch})` },
  {
    head: 'STATE',
    priority: 8,
    least: 19,
    of: ({ state, bootStage }) => (bootStage === null ? state : `${state} (${bootStage})`),
  },
  { head: 'BEHAVIOR', priority: 4, of: ({ idleBehavior }) => idleBehavior },
  { head: 'TYPE', priority: 6, of: ({ type }) => type },
  { head: '$/H', priority: 3, of: ({ price }) => price.toFixed(4) },
  { head: 'AGE', priority: 5, of: ({ appearedAt }, nowMs) => ageOf(appearedAt, nowMs) },
  { head: 'ADDRESS', priority: 1, least: 21, of: ({ address }) => address || '-' },
  { head: 'CONTAINERS', priority: 7, of: ({ containers }) => containers.join(' ') || '-' },
];
const betweenColumns = 2;

/** Columns of low priority are left out on narrow terminals. */
function table(instances: readonly InstanceBody[], options: PictureOptions, paint: Paint): string[] {
  const cells = instances.map((each) => columnsOf.map(({ of }) => printable(of(each, options.nowMs))));
  const heads = columnsOf.map(({ head }) => head);
  const natural = heads.map((head, index) =>
    cells.reduce((widest, row) => Math.max(widest, row[index]!.length), head.length),
  );
  const widths = fitColumns(columnsOf, natural, options.columns + betweenColumns, betweenColumns);
  const line = (row: readonly string[]): string =>
    clipped(
      row
        .flatMap((text, index) => {
          const width = widths[index];
          return width === undefined ? [] : [clipped(text, width).padEnd(width)];
        })
        .join(' '.repeat(betweenColumns))
        .trimEnd(),
      options.columns,
    );
  return [
    paint(bold, line(heads)),
    ...cells.map((row, index) => paint(colors[instances[index]!.state], line(row))),
  ];
}

function ageOf(appearedAt: string | null, nowMs: number): string {
  if (appearedAt === null) return '-';
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(appearedAt)) / 1_000));
  return seconds === 0 ? '0s' : formatDuration(seconds * 1_000);
}

function clipped(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

const bornAt = ({ appearedAt }: InstanceBody): number =>
  appearedAt === null ? Number.MAX_VALUE : Date.parse(appearedAt);
const byName = (a: InstanceBody, b: InstanceBody): number => (a.instance < b.instance ? -1 : 1);
const comparisons: Readonly<Record<FleetOrder, (a: InstanceBody, b: InstanceBody) => number>> = {
  state: (a, b) => stateOrder.indexOf(a.state) - stateOrder.indexOf(b.state) || byName(a, b),
  cost: (a, b) => b.price - a.price || byName(a, b),
  age: (a, b) => bornAt(a) - bornAt(b) || byName(a, b),
  name: byName,
};
