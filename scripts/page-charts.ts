// Draws every statechart as an SVG file for the page, laid out by elk. States carry `data-state`, transitions
// `data-from`, `data-to` and `data-event`, so that the page can light what is active.
import { mkdirSync, writeFileSync } from 'node:fs';
import ElkConstructor, { type ElkExtendedEdge, type ElkNode, type ElkPoint } from 'elkjs/lib/elk.bundled.js';
import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { machines, transitionLabel } from '../src/machines/inspection/machine-chart.js';

interface Arrow {
  from: string;
  to: string;
  events: Set<string>;
  labels: Set<string>;
}

const charWidth = 6.2;
const lineHeight = 14;
const titleHeight = 26;
const longestLabel = 44;

const pathOf = (node: AnyStateNode): string => node.path.join('.');
const idOf = (path: string): string => path || 'root';

function arrowsOf(node: AnyStateNode, into: Map<string, Arrow>): Map<string, Arrow> {
  for (const transitions of [...node.transitions.values(), node.always ?? []]) {
    for (const { target, eventType, guard } of transitions as AnyTransitionDefinition[]) {
      for (const each of target ?? []) {
        const key = `${pathOf(node)}>${pathOf(each)}`;
        const arrow = into.get(key) ?? {
          from: pathOf(node),
          to: pathOf(each),
          events: new Set(),
          labels: new Set(),
        };
        arrow.events.add(String(eventType));
        arrow.labels.add(clip(transitionLabel(String(eventType), guard)));
        into.set(key, arrow);
      }
    }
  }
  for (const child of Object.values(node.states)) arrowsOf(child, into);
  return into;
}

const clip = (text: string): string =>
  text.length > longestLabel ? `${text.slice(0, longestLabel - 1)}…` : text;

function shapeOf(node: AnyStateNode): ElkNode {
  const children = Object.values(node.states);
  const isRegions = node.type === 'parallel' && node.path.length === 0;
  return {
    id: idOf(pathOf(node)),
    width: Math.max(60, node.key.length * 7.4 + 24),
    height: 30,
    children: children.map(shapeOf),
    layoutOptions: {
      'elk.algorithm': isRegions ? 'rectpacking' : 'layered',
      'elk.direction': 'DOWN',
      'elk.hierarchyHandling': isRegions ? 'SEPARATE_CHILDREN' : 'INCLUDE_CHILDREN',
      'elk.aspectRatio': '2.2',
      'elk.padding': `[top=${titleHeight + 10},left=14,bottom=14,right=14]`,
      'elk.spacing.nodeNode': '24',
      'elk.spacing.edgeLabel': '3',
      'elk.layered.spacing.nodeNodeBetweenLayers': '28',
      'elk.layered.spacing.edgeNodeBetweenLayers': '14',
      'elk.edgeRouting': 'ORTHOGONAL',
    },
  };
}

/** Each arrow belongs to the innermost state that holds both its ends. */
function placeEdges(root: ElkNode, arrows: readonly Arrow[]): void {
  const byId = new Map<string, ElkNode>();
  const index = (node: ElkNode): void => {
    byId.set(node.id, node);
    node.children?.forEach(index);
  };
  index(root);
  arrows.forEach((arrow, number) => {
    const labels = [...arrow.labels];
    const edge: ElkExtendedEdge = {
      id: `edge-${number}`,
      sources: [startOf(arrow, byId)],
      targets: [idOf(arrow.to)],
      labels: [
        {
          text: labels.join('\n'),
          width: Math.max(...labels.map((label) => label.length)) * charWidth,
          height: labels.length * lineHeight,
        },
      ],
    };
    const owner = byId.get(idOf(commonPath(arrow)))!;
    owner.edges = [...(owner.edges ?? []), edge];
  });
}

/** A transition of a state into itself, from whichever inner state: it starts at a dot inside. */
function startOf({ from, to }: Arrow, byId: Map<string, ElkNode>): string {
  if (!isInside(to, from)) return idOf(from);
  const id = `${idOf(from)}.*`;
  if (!byId.has(id)) {
    const dot = { id, width: 12, height: 12 };
    byId.set(id, dot);
    byId.get(idOf(from))!.children!.push(dot);
  }
  return id;
}

const isInside = (path: string, outer: string): boolean => outer === '' || path.startsWith(`${outer}.`);

function commonPath({ from, to }: Arrow): string {
  if (isInside(to, from)) return from;
  const a = from.split('.');
  const b = to.split('.');
  let depth = 0;
  while (depth < a.length - 1 && depth < b.length - 1 && a[depth] === b[depth]) depth++;
  return a.slice(0, depth).join('.');
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]!);

function drawNode(node: ElkNode, x: number, y: number, descriptions: ReadonlyMap<string, string>): string[] {
  const out: string[] = [];
  const left = x + (node.x ?? 0);
  const top = y + (node.y ?? 0);
  const isCompound = (node.children?.length ?? 0) > 0;
  const name = node.id.slice(node.id.lastIndexOf('.') + 1);
  if (name === '*') {
    out.push(
      `<circle class="dot" cx="${left + 6}" cy="${top + 6}" r="5"><title>any state in here</title></circle>`,
    );
  } else if (node.id !== 'root') {
    const kind = isCompound ? 'state compound' : 'state';
    const textY = top + (isCompound ? 18 : (node.height ?? 30) / 2 + 4);
    out.push(
      `<g class="${kind}" data-state="${escape(node.id)}"><title>${escape(descriptions.get(node.id) ?? '')}</title>`,
      `<rect x="${left}" y="${top}" width="${node.width}" height="${node.height}" rx="7"/>`,
      `<text x="${left + (isCompound ? 12 : (node.width ?? 0) / 2)}" y="${textY}" ${isCompound ? '' : 'text-anchor="middle"'}>${escape(name)}</text></g>`,
    );
  }
  for (const child of node.children ?? []) out.push(...drawNode(child, left, top, descriptions));
  return out;
}

function drawEdges(node: ElkNode, x: number, y: number, arrows: readonly Arrow[]): string[] {
  const left = x + (node.x ?? 0);
  const top = y + (node.y ?? 0);
  const out: string[] = [];
  for (const edge of node.edges ?? []) {
    const arrow = arrows[Number(edge.id.slice('edge-'.length))]!;
    const events = escape([...arrow.events].join(' '));
    out.push(`<g class="edge" data-from="${arrow.from}" data-to="${arrow.to}" data-event="${events}">`);
    for (const { startPoint, bendPoints = [], endPoint } of edge.sections ?? []) {
      const at = ({ x: px, y: py }: ElkPoint): string => `${round(left + px)} ${round(top + py)}`;
      out.push(
        `<path d="M${[startPoint, ...bendPoints, endPoint].map(at).join('L')}" marker-end="url(#tip)"/>`,
      );
    }
    for (const { text = '', x: lx = 0, y: ly = 0 } of edge.labels ?? []) {
      text.split('\n').forEach((line, row) => {
        out.push(
          `<text x="${round(left + lx)}" y="${round(top + ly + 11 + row * lineHeight)}">${escape(line)}</text>`,
        );
      });
    }
    out.push('</g>');
  }
  for (const child of node.children ?? []) out.push(...drawEdges(child, left, top, arrows));
  return out;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const folder = new URL('../dist/page/charts/', import.meta.url);
mkdirSync(folder, { recursive: true });
const elk = new (ElkConstructor as unknown as new () => { layout(graph: ElkNode): Promise<ElkNode> })();
for (const [name, machine] of Object.entries(machines)) {
  const arrows = [...arrowsOf(machine.root, new Map<string, Arrow>()).values()];
  const graph = shapeOf(machine.root);
  placeEdges(graph, arrows);
  const descriptions = new Map<string, string>();
  const describe = (node: AnyStateNode): void => {
    descriptions.set(pathOf(node), node.description ?? '');
    Object.values(node.states).forEach(describe);
  };
  describe(machine.root);
  const drawn = await elk.layout(graph);
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(drawn.width ?? 0)} ${round(drawn.height ?? 0)}" width="${round(drawn.width ?? 0)}" height="${round(drawn.height ?? 0)}" role="img" aria-label="Statechart of the ${name}">`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
    ...drawNode(drawn, 0, 0, descriptions),
    ...drawEdges(drawn, 0, 0, arrows),
    '</svg>',
  ];
  writeFileSync(new URL(`${name}.svg`, folder), `${svg.join('\n')}\n`);
}
