import { AccountView } from './account-view.js';
import { ask, part } from './api.js';
import { ChartView } from './chart-view.js';
import { ago, clockTime, duration, money } from './format.js';
import { retryMs, useFleet, useNow } from './hooks.js';
import type { Fleet } from './live.js';
import { OrderDialog } from './order-dialog.js';
import { ContainerLink, Facts, Pill } from './pieces.js';
import { Quarantine } from './quarantine-view.js';
import { html, useEffect, useState, type VNode } from './vendor/preact.js';
import type { ChartEvent, InstanceBody, Timer } from './wire.js';

const bootStages = ['requested', 'addressed', 'connected', 'verified', 'booted', 'copied'] as const;
const longestSteps = 100;

/** One instance: its live statechart, pending timers, history and explanation. */
export function InstanceView({ id, fleet }: { id: string; fleet: Fleet }): VNode {
  useFleet(fleet);
  const instance = fleet.instances.get(id);
  const { chart, steps } = useChart(id);
  return html`<div class="heading">
      <h1 class="id">${id}</h1>
      ${
        instance
          ? html`<${Pill} state=${instance.state} /><${Pill}
                state=${instance.idleBehavior}
              />${instance.quarantine ? html`<${Pill} state="quarantine" />` : null}`
          : html`<${Pill} state="gone" />`
      }
      ${instance ? html`<${Orders} instance=${instance} />` : null}
      <a class="button" href="#/instances/${part(id)}/replay">replay</a>
    </div>
    ${instance ? html`<${BootStages} instance=${instance} /><${Quarantine} instance=${instance} />` : null}
    <section class="card" aria-label="Statechart">
      <${ChartView}
        machine="worker"
        active=${chart?.active ?? []}
        steps=${chart?.steps ?? []}
        timed=${(chart?.timers ?? []).map((timer) => timer.state)}
      />
    </section>
    <div class="columns even">
      <div class="stack">
        ${instance ? html`<${InstanceFacts} instance=${instance} />` : null}
        <${Timers} chart=${chart} />
        <${Runners} chart=${chart} />
        <${Steps} steps=${steps} />
      </div>
      <div class="stack">
        <${AccountView} id=${id} changes=${instance} />
      </div>
    </div>`;
}

function useChart(id: string): { chart: ChartEvent | undefined; steps: ChartEvent['steps'] } {
  const [chart, setChart] = useState<ChartEvent | undefined>(undefined);
  const [steps, setSteps] = useState<ChartEvent['steps']>([]);
  useEffect(() => {
    let source: EventSource;
    let timer = 0;
    const open = (): void => {
      source = new EventSource(`/v1/instances/${part(id)}/events`);
      source.addEventListener('chart', (event) => {
        const next = JSON.parse(event.data as string) as ChartEvent;
        setChart(next);
        setSteps((before) => [...next.steps.toReversed(), ...before].slice(0, longestSteps));
        if (next.gone) source.close();
      });
      // The browser reconnects after a lost connection, but not after a response such as 502 or 503.
      source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, retryMs);
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }, [id]);
  return { chart, steps };
}

const consequences: Record<string, string> = {
  run: 'Containers start on it, and it shuts down when it idles too long.',
  hold: 'No new containers start on it, and it does not shut down, not even when it idles.',
  drain: 'No new containers start on it, and it shuts down when its containers have ended.',
  kill: 'It is destroyed now, with its running containers.',
};

function Orders({ instance }: { instance: InstanceBody }): VNode {
  const [order, setOrder] = useState<string | undefined>(undefined);
  const { instance: id, idleBehavior, state, containers } = instance;
  const orders = ['run', 'hold', 'drain', 'kill'].filter((each) => each !== idleBehavior);
  const isEnding = state === 'shutdown';
  return html`<div class="buttons" role="group" aria-label="Commands">
    ${orders.map(
      (each) =>
        html`<button
          key=${each}
          class=${each === 'kill' ? 'danger' : ''}
          disabled=${isEnding}
          onClick=${() => setOrder(each)}
        >
          ${each}
        </button>`,
    )}
    ${
      order === undefined
        ? null
        : html`<${OrderDialog}
            title=${`${order} ${id}`}
            consequence=${`${consequences[order]} ${containers.length} container${containers.length === 1 ? ' is' : 's are'} on it.`}
            action=${order}
            isDangerous=${order === 'kill'}
            give=${(reason: string) => ask(`/v1/instances/${part(id)}/${order}`, { reason })}
            close=${() => setOrder(undefined)}
          />`
    }
  </div>`;
}

function BootStages({ instance: { state, bootStage } }: { instance: InstanceBody }): VNode | null {
  if (state !== 'booting' && state !== 'unknown') return null;
  const reached = bootStages.indexOf((bootStage ?? 'requested') as (typeof bootStages)[number]);
  return html`<ol class="stages" aria-label="Boot stages">
    ${bootStages.map(
      (stage, index) =>
        html`<li
          key=${stage}
          data-reached=${index <= reached}
          aria-current=${index === reached ? 'step' : undefined}
        >
          ${stage}
        </li>`,
    )}
  </ol>`;
}

function InstanceFacts({ instance }: { instance: InstanceBody }): VNode {
  const now = useNow();
  const livedMs = instance.appearedAt === null ? 0 : now - Date.parse(instance.appearedAt);
  return html`<section class="card" aria-label="Facts">
    <h2>Facts</h2>
    <${Facts}
      facts=${[
        ['Type', `${instance.type} (${instance.providerType})`],
        ['Address', instance.address],
        [
          'Price',
          `${money(instance.price)} per hour, ${money((livedMs / 3_600_000) * instance.price)} so far`,
        ],
        ['Age', instance.appearedAt && ago(instance.appearedAt, now)],
        ['Last busy', instance.lastBusyAt && `${ago(instance.lastBusyAt, now)} ago`],
        [
          'Containers',
          instance.containers.length > 0 &&
            instance.containers.map((uuid) => html`<${ContainerLink} key=${uuid} uuid=${uuid} /> `),
        ],
        [
          'Last container',
          instance.lastContainer && html`<${ContainerLink} uuid=${instance.lastContainer} />`,
        ],
      ].filter(([, value]) => value !== false)}
    />
  </section>`;
}

function Timers({ chart }: { chart: ChartEvent | undefined }): VNode | null {
  const now = useNow(250);
  const timers = chart?.timers ?? [];
  if (timers.length === 0) return null;
  return html`<section class="card" aria-label="Pending timers">
    <h2>Pending timers</h2>
    <ul class="plain">
      ${timers.map((timer) => html`<${TimerLine} key=${timer.name} timer=${timer} now=${now} />`)}
    </ul>
  </section>`;
}

function TimerLine({ timer, now }: { timer: Timer; now: number }): VNode {
  const leftMs = Math.max(0, timer.firesAt - now);
  return html`<li>
    <code>${timer.name}</code> of <code>${timer.state}</code> in${' '}
    <span class="number">${duration(leftMs)}</span>
    <progress max=${timer.delayMs} value=${timer.delayMs - leftMs} aria-label="${timer.name}"></progress>
  </li>`;
}

function Runners({ chart }: { chart: ChartEvent | undefined }): VNode | null {
  const [open, setOpen] = useState<string | undefined>(undefined);
  const runners = chart?.runners ?? [];
  if (runners.length === 0) return null;
  return html`<section class="card" aria-label="Containers">
    <h2>Containers</h2>
    <ul class="plain">
      ${runners.map(
        ({ uuid, active }) =>
          html`<li key=${uuid}>
            <${ContainerLink} uuid=${uuid} />
            <span class="quiet">${leavesOf(active).join(', ')}</span> ${' '}<button
              class="small"
              aria-expanded=${open === uuid}
              onClick=${() => setOpen(open === uuid ? undefined : uuid)}
            >
              statechart
            </button>
            ${open === uuid ? html`<${ChartView} machine="runner" active=${active} />` : null}
          </li>`,
      )}
    </ul>
  </section>`;
}

function Steps({ steps }: { steps: ChartEvent['steps'] }): VNode {
  return html`<section class="card" aria-label="Events">
    <h2>Events since you opened this page</h2>
    <ol class="ticker" tabindex="0" aria-label="Events, newest first">
      ${steps.map(
        ({ at, event, changes }) =>
          html`<li key=${`${at} ${event} ${changes.length}`}>
            <time>${clockTime(at)}</time> <code>${event}</code>
            <span class="what">${changes.map(({ from, to }) => `${from} → ${to}`).join(', ')}</span>
          </li>`,
      )}
    </ol>
  </section>`;
}

/** Returns the last names of the active states without active substates. */
const leavesOf = (active: readonly string[]): string[] =>
  active
    .filter((path) => !active.some((other) => other.startsWith(`${path}.`)))
    .map((path) => path.slice(path.lastIndexOf('.') + 1));
