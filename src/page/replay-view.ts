import { ask, part } from './api.js';
import { ChartView } from './chart-view.js';
import { clockTime, dateTime } from './format.js';
import { useLoaded } from './hooks.js';
import { Facts, Failure, InstanceLink } from './pieces.js';
import { html, useEffect, useMemo, useState, type VNode } from './vendor/preact.js';
import { VirtualList } from './virtual-list.js';
import type { Replay, ReplayedStep } from './wire.js';

const mostSteps = 5_000;
const playMs = 700;

/** Replays the recorded steps of a worker with this version's statechart, one at a time. */
export function ReplayView({ id }: { id: string }): VNode {
  const { value: replay, error } = useLoaded<Replay>(
    () => ask(`/v1/replay/${part(id)}?limit=${mostSteps}`),
    [id],
  );
  return html`<div class="heading">
      <h1>Replay of <${InstanceLink} id=${id} /></h1>
    </div>
    <${Failure} text=${error} />
    ${replay && replay.steps.length > 0 ? html`<${Player} steps=${replay.steps} />` : null}`;
}

interface StepRow {
  step: ReplayedStep;
  index: number;
}

function Player({ steps }: { steps: readonly ReplayedStep[] }): VNode {
  const { index, isPlaying, goTo, play } = usePosition(steps);
  const step = steps[index]!;
  const wrong = steps.filter(({ matches }) => !matches).length;
  const rows = useMemo<StepRow[]>(() => steps.map((each, at) => ({ step: each, index: at })), [steps]);
  const taken = useMemo(() => [{ event: step.event.type, changes: step.moves }], [step]);
  return html`<p class="verdict" data-matches=${wrong === 0}>
      ${`${steps.length} steps replayed, ${wrong === 0 ? 'all with the recorded result' : `${wrong} with a different result`}. `}
      No action is executed.
    </p>
    <div class="player" role="group" aria-label="Position">
      <button onClick=${() => goTo(0)} disabled=${index === 0}>first</button>
      <button onClick=${() => goTo(index - 1)} disabled=${index === 0}>back</button>
      <button onClick=${play} aria-pressed=${isPlaying}>${isPlaying ? 'pause' : 'play'}</button>
      <button onClick=${() => goTo(index + 1)} disabled=${index === steps.length - 1}>next</button>
      <button onClick=${() => goTo(steps.length - 1)} disabled=${index === steps.length - 1}>last</button>
      <button onClick=${() => goTo(nextDifference(steps, index))} disabled=${wrong === 0}>
        next difference
      </button>
      <input
        type="range"
        min="0"
        max=${steps.length - 1}
        value=${index}
        aria-label="Step"
        aria-valuetext=${`step ${index + 1} of ${steps.length}: ${step.event.type}`}
        onInput=${(event: Event) => goTo(Number((event.target as HTMLInputElement).value))}
      />
      <span class="number">${index + 1} of ${steps.length}</span>
    </div>
    <section class="card" aria-label="Statechart">
      <${ChartView} machine="worker" active=${step.after} steps=${taken} />
    </section>
    <div class="steps">
      <section class="card tall" aria-label="Steps">
        <h2>Steps</h2>
        <${VirtualList}
          items=${rows}
          rowHeight=${30}
          label="Steps, oldest first"
          keyOf=${(row: StepRow) => String(row.index)}
          row=${(row: StepRow) => stepRow(row.step, row.index === index, () => goTo(row.index))}
        />
      </section>
      <${StepDetails} step=${step} />
    </div>`;
}

interface Position {
  index: number;
  isPlaying: boolean;
  goTo(index: number): void;
  play(): void;
}

/** The selected step: moved by buttons, keys and time. */
function usePosition(steps: readonly ReplayedStep[]): Position {
  const [index, setIndex] = useState(0);
  const [isPlaying, setPlaying] = useState(false);
  const last = steps.length - 1;
  const goTo = (next: number): void => {
    setPlaying(false);
    setIndex(Math.min(last, Math.max(0, next)));
  };
  const play = (): void => {
    if (index === last) setIndex(0);
    setPlaying(!isPlaying);
  };
  useEffect(() => {
    if (!isPlaying) return undefined;
    if (index === last) return setPlaying(false);
    const timer = setTimeout(() => setIndex(index + 1), playMs);
    return () => clearTimeout(timer);
  }, [isPlaying, index, last]);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const isElsewhere = (event.target as Element).closest(
        'input, textarea, select, button, .virtual, .chart',
      );
      if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
      const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: last }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      goTo(next);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });
  return { index, isPlaying, goTo, play };
}

function nextDifference(steps: readonly ReplayedStep[], index: number): number {
  const isOther = ({ matches }: ReplayedStep): boolean => !matches;
  const after = steps.findIndex((step, at) => at > index && isOther(step));
  return after === -1 ? steps.findIndex(isOther) : after;
}

const stepRow = (step: ReplayedStep, isCurrent: boolean, show: () => void): VNode =>
  html`<button class="step" aria-current=${isCurrent ? 'step' : undefined} onClick=${show}>
    <time>${clockTime(step.at)}</time> <code>${step.event.type}</code>${' '}
    <span class="what">
      ${step.matches ? '' : '≠ '}
      ${step.moves
        .filter(({ from, to }) => from !== to)
        .map(({ from, to }) => `${from} → ${to}`)
        .join(', ')}
    </span>
  </button>`;

function StepDetails({ step }: { step: ReplayedStep }): VNode {
  const { type, ...fields } = step.event;
  const guards = Object.entries(step.guards).map(([name, held]) => `${name}: ${held ? 'yes' : 'no'}`);
  return html`<section class="card" aria-label="Step">
    <h2>
      <code>${type}</code>${' '}<span class="pill" data-kind=${step.matches ? 'running' : 'shutdown'}
        >${step.matches ? 'same result' : 'different result'}</span
      >
    </h2>
    <${Facts}
      facts=${[
        ['Time', dateTime(step.at)],
        ...step.moves.map(
          ({ region, from, to }) => [region, from === to ? from : `${from} → ${to}`] as const,
        ),
        ['Guards', guards.join(', ')],
        ['Actions', step.actions.join(', ')],
        ['Uneventful steps before', step.skipped || null],
        ...step.differences.map(
          ({ what, recorded, replayed }) =>
            [`≠ ${what}`, `recorded ${JSON.stringify(recorded)}, now ${JSON.stringify(replayed)}`] as const,
        ),
      ]}
    />
    ${
      Object.keys(fields).length === 0
        ? null
        : html`<h3>Event data</h3>
            <pre tabindex="0">${JSON.stringify(fields, undefined, 2)}</pre>`
    }
  </section>`;
}
