import { ago, money } from './format.js';
import { useFleet, useNow } from './hooks.js';
import type { Fleet } from './live.js';
import { ContainerLink, EntryLine, InstanceLink, Pill } from './pieces.js';
import { html, useMemo, useState, type VNode } from './vendor/preact.js';
import { VirtualList } from './virtual-list.js';
import { Breakers, Waits } from './waits-view.js';
import type { InstanceBody, JournalEntry, Summary } from './wire.js';

const states = ['unknown', 'booting', 'idle', 'running', 'shutdown'] as const;
const rowHeight = 34;

/** The current fleet at a glance. */
export function FleetView({ fleet }: { fleet: Fleet }): VNode {
  useFleet(fleet);
  const { summary } = fleet;
  return html`<h1 class="hidden">Fleet</h1>
    ${summary ? html`<${Tiles} summary=${summary} fleet=${fleet} />` : null}
    <div class="columns">
      <${Instances} fleet=${fleet} />
      <div class="stack">
        ${summary ? html`<${Types} summary=${summary} /><${Waits} summary=${summary} /><${Breakers} summary=${summary} />` : null}
        <${Ticker} entries=${fleet.ticker} />
      </div>
    </div>`;
}

function Tiles({ summary, fleet }: { summary: Summary; fleet: Fleet }): VNode {
  const { containers, atQuota, health } = summary;
  const launches = fleet.launches.length;
  const counts: Record<string, number> = {};
  let costPerHour = 0;
  for (const { state, price } of fleet.instances.values()) {
    counts[state] = (counts[state] ?? 0) + 1;
    costPerHour += price;
  }
  const waiting = (containers['Queued'] ?? 0) + (containers['Locked'] ?? 0);
  return html`<section class="tiles" aria-label="Figures">
    <${Tile}
      title="Instances"
      value=${fleet.instances.size}
      note=${launches > 0 ? `${launches} being created` : 'none being created'}
    />
    ${states.map((state) => html`<${Tile} key=${state} title=${state} value=${counts[state] ?? 0} kind=${state} />`)}
    <${Tile} title="Cost per hour" value=${money(costPerHour, 2)} />
    <${Tile} title="Waiting" value=${waiting} note=${endedOf(summary)} />
    <${Tile}
      title="Health"
      value=${health === 'OK' ? 'OK' : 'Error'}
      note=${health === 'OK' ? (atQuota ? 'instance quota reached' : '') : health}
      kind=${health === 'OK' && !atQuota ? 'running' : 'shutdown'}
    />
  </section>`;
}

function endedOf({ containers, failed }: Summary): string {
  const complete = (containers['Complete'] ?? 0) - (failed ?? 0);
  return `${containers['Running'] ?? 0} running, ${complete} complete${failed ? `, ${failed} failed` : ''}`;
}

function Tile({
  title,
  value,
  note,
  kind,
}: {
  title: string;
  value: unknown;
  note?: string;
  kind?: string;
}): VNode {
  return html`<div class="tile" data-kind=${kind}>
    <h2>${title}</h2>
    <p class="figure">${value}</p>
    ${note ? html`<p class="quiet">${note}</p>` : null}
  </div>`;
}

function Types({ summary }: { summary: Summary }): VNode | null {
  if (summary.types.length === 0) return null;
  return html`<section class="card" aria-label="Instance types">
    <h2>Types</h2>
    <table>
      <thead>
        <tr>
          <th scope="col">Type</th>
          <th scope="col">Price</th>
          <th scope="col">Instances</th>
        </tr>
      </thead>
      <tbody>
        ${summary.types.map(
          ({ type, price, total, states: byState }) =>
            html`<tr key=${type}>
              <th scope="row">${type}</th>
              <td class="number">${money(price)}/h</td>
              <td>
                <span class="bar" role="img" aria-label=${describe(byState)}>
                  ${states.map((state) =>
                    byState[state]
                      ? html`<span
                          key=${state}
                          data-kind=${state}
                          style=${{ flexGrow: byState[state] }}
                        ></span>`
                      : null,
                  )}
                </span>
                ${' '}${total}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

const describe = (byState: Record<string, number>): string =>
  states
    .filter((state) => byState[state])
    .map((state) => `${byState[state]} ${state}`)
    .join(', ');

function Instances({ fleet }: { fleet: Fleet }): VNode {
  const [text, setText] = useState('');
  const [state, setState] = useState('');
  const now = useNow(5_000);
  const filter = text.trim().toLowerCase();
  const shown = useMemo(
    () =>
      [...fleet.launches, ...fleet.instances.values()].filter(
        (each) =>
          (state === '' ||
            each.state === state ||
            each.idleBehavior === state ||
            (state === 'quarantine' && Boolean(each.quarantine))) &&
          (filter === '' ||
            `${each.instance} ${each.type} ${each.address} ${each.providerType}`
              .toLowerCase()
              .includes(filter)),
      ),
    [fleet.changes, filter, state],
  );
  return html`<section class="card tall" aria-label="Instances">
    <div class="heading">
      <h2>Instances <span class="quiet">${shown.length}</span></h2>
      <input
        type="search"
        aria-label="Filter instances"
        placeholder="id, type or address"
        value=${text}
        onInput=${(event: Event) => setText((event.target as HTMLInputElement).value)}
      />
      <select
        aria-label="State"
        value=${state}
        onChange=${(event: Event) => setState((event.target as HTMLSelectElement).value)}
      >
        <option value="">every state</option>
        ${[...states, 'hold', 'drain', 'quarantine'].map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
      </select>
    </div>
    ${shown.length === 0 ? html`<p class="quiet">No instance${filter || state ? ' matches the filter' : ': the fleet grows when containers wait'}.</p>` : null}
    <${VirtualList}
      items=${shown}
      rowHeight=${rowHeight}
      label="Instances"
      keyOf=${(each: InstanceBody) => each.instance || each.launch}
      row=${(each: InstanceBody) => html`<${InstanceRow} instance=${each} now=${now} />`}
    />
  </section>`;
}

function InstanceRow({ instance, now }: { instance: InstanceBody; now: number }): VNode {
  const { instance: id, type, state, idleBehavior, price, containers, appearedAt } = instance;
  const remark = instance.isBeingSetUp
    ? 'being set up again'
    : state === 'booting'
      ? instance.bootStage
      : null;
  return html`<div class="row instance">
    ${id === '' ? html`<span class="quiet">being created…</span>` : html`<${InstanceLink} id=${id} />`}
    <span
      ><${Pill}
        state=${state}
      />${idleBehavior === 'run' ? null : html`<${Pill} state=${idleBehavior} />`}${instance.quarantine ? html`<${Pill} state="quarantine" />` : null}</span
    >
    <span class="cut">${type}${remark ? html` <span class="quiet">${remark}</span>` : null}</span>
    <span class="number">${money(price)}/h</span>
    <span class="cut">
      ${containers.length > 1 ? `${containers.length} containers` : html`<${ContainerLink} uuid=${containers[0] ?? ''} />`}
    </span>
    <span class="number quiet">${ago(appearedAt, now)}</span>
  </div>`;
}

function Ticker({ entries }: { entries: readonly (JournalEntry & { key: number })[] }): VNode {
  return html`<section class="card" aria-label="Latest events">
    <h2>Latest events</h2>
    <ol class="ticker" tabindex="0" aria-label="Last journal entries, newest first">
      ${entries.slice(0, 60).map((entry) => html`<li key=${entry.key}><${EntryLine} entry=${entry} /></li>`)}
    </ol>
  </section>`;
}
