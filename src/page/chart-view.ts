import { useLoaded } from './hooks.js';
import { Failure } from './pieces.js';
import { html, useEffect, useRef, useState, type VNode } from './vendor/preact.js';

export interface ChartStep {
  event: string;
  changes: readonly { region: string; from: string; to: string }[];
}

export interface ChartViewProps {
  /** Name of a machine. */
  machine: string;
  /** Paths of the active states. */
  active: readonly string[];
  /** The latest steps, whose transitions glow for a moment. */
  steps?: readonly ChartStep[];
  /** Paths of states with a pending timer. */
  timed?: readonly string[];
}

const glowMs = 1_600;
const drawings = new Map<string, Promise<Document>>();

/** Draws the statechart as the machine defines it, with lit active states and glowing latest transitions. */
export function ChartView({ machine, active, steps = [], timed = [] }: ChartViewProps): VNode {
  const box = useRef<HTMLDivElement | null>(null);
  const { value: drawing, error } = useLoaded(() => drawingOf(machine), [machine]);
  const [isDrawn, setDrawn] = useState(false);
  const [isLarge, setLarge] = useState(false);
  useEffect(() => {
    setDrawn(drawing !== undefined);
    if (drawing) box.current?.replaceChildren(document.importNode(drawing.documentElement, true));
  }, [drawing]);
  useEffect(() => {
    const lit = new Set(active);
    for (const state of statesIn(box.current)) {
      state.classList.toggle('active', lit.has(state.dataset.state!));
      state.classList.toggle('timed', timed.includes(state.dataset.state!));
    }
  }, [isDrawn, active.join(' '), timed.join(' ')]);
  useEffect(() => {
    for (const step of steps) glow(box.current, step);
  }, [isDrawn, steps]);
  return html`<button class="small" aria-pressed=${isLarge} onClick=${() => setLarge(!isLarge)}>
      larger
    </button>
    <div
      class=${isLarge ? 'chart large' : 'chart'}
      tabindex="0"
      role="region"
      aria-label="Statechart, ${active.join(', ')} active"
    >
      <${Failure} text=${error} />
      <div ref=${box}></div>
    </div>`;
}

function drawingOf(machine: string): Promise<Document> {
  let drawing = drawings.get(machine);
  if (!drawing) {
    drawing = fetch(`charts/${machine}.svg`).then(async (response) => {
      if (!response.ok) throw new Error(`The drawing of the ${machine} machine is missing from the build.`);
      return new DOMParser().parseFromString(await response.text(), 'image/svg+xml');
    });
    drawings.set(machine, drawing);
    drawing.catch(() => drawings.delete(machine));
  }
  return drawing;
}

const statesIn = (box: HTMLElement | null): SVGGElement[] => [
  ...(box?.querySelectorAll<SVGGElement>('[data-state]') ?? []),
];

/** Lights the arrow of a step for a moment: the one with its event from the earlier state to the next. */
function glow(box: HTMLElement | null, { event, changes }: ChartStep): void {
  for (const { region, from, to } of changes) {
    for (const edge of box?.querySelectorAll<SVGGElement>('.edge') ?? []) {
      const isTaken =
        edge.dataset.event!.split(' ').includes(event) &&
        isWithin(`${region}.${from}`, edge.dataset.from!) &&
        isWithin(`${region}.${to}`, edge.dataset.to!);
      if (!isTaken) continue;
      edge.classList.add('taken');
      setTimeout(() => edge.classList.remove('taken'), glowMs);
    }
  }
}

const isWithin = (path: string, outer: string): boolean => path === outer || path.startsWith(`${outer}.`);
