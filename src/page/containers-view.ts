import { ask, part } from './api.js';
import { ago, commandLine } from './format.js';
import { useFleet, useLoaded, useNow } from './hooks.js';
import type { Fleet } from './live.js';
import { ContainerLink, Failure, InstanceLink, OutcomePill } from './pieces.js';
import { html, useState, type VNode } from './vendor/preact.js';
import type { ContainerBody } from './wire.js';

const groups: [string, string][] = [
  ['Queued,Locked,Running', 'not ended'],
  ['Queued,Locked', 'waiting'],
  ['Running', 'running'],
  ['Complete', 'complete'],
  ['Cancelled', 'cancelled'],
];
const pageSize = 100;

/** Containers by state, in pages. */
export function ContainersView({ fleet }: { fleet: Fleet }): VNode {
  useFleet(fleet);
  const now = useNow(5_000);
  const [states, setStates] = useState(groups[0]![0]);
  const [pages, setPages] = useState<string[]>([]);
  const after = pages.at(-1);
  const address = `/v1/containers?limit=${pageSize}&state=${part(states)}${after === undefined ? '' : `&after=${part(after)}`}`;
  const { value, error } = useLoaded<{ items: ContainerBody[]; next: string | null }>(
    () => ask(address),
    [address, Math.floor(now / 5_000), fleet.containerChanges > 0],
  );
  const choose = (next: string) => (): void => {
    setStates(next);
    setPages([]);
  };
  return html`<div class="heading">
      <h1>Containers</h1>
      <div class="buttons" role="group" aria-label="State">
        ${groups.map(
          ([name, title]) =>
            html`<button key=${name} aria-pressed=${states === name} onClick=${choose(name)}>
              ${title}
            </button>`,
        )}
      </div>
    </div>
    <${Failure} text=${error} />
    <section class="card scroll" tabindex="0" aria-label="Containers">
      <table>
        <thead>
          <tr>
            ${['Container', 'State', 'Command', 'Instance', 'Age', 'Wait reason or result'].map(
              (title) => html`<th key=${title} scope="col">${title}</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${value?.items.map((each) => html`<${Row} key=${each.uuid} container=${each} now=${now} />`)}
        </tbody>
      </table>
      ${value?.items.length === 0 ? html`<p class="quiet">None.</p>` : null}
    </section>
    <div class="buttons">
      ${pages.length > 0 ? html`<button onClick=${() => setPages(pages.slice(0, -1))}>Before</button>` : null}
      ${value?.next ? html`<button onClick=${() => setPages([...pages, value.next!])}>More</button>` : null}
    </div>`;
}

function Row({ container, now }: { container: ContainerBody; now: number }): VNode {
  const { uuid, name, state, command, instance, createdAt, wait, error, exitCode } = container;
  const ending = exitCode === null ? error : `exit code ${exitCode}${error ? `: ${error}` : ''}`;
  return html`<tr>
    <th scope="row"><${ContainerLink} uuid=${uuid} name=${name} /></th>
    <td><${OutcomePill} container=${container} /></td>
    <td class="cut" title=${commandLine(command)}>${commandLine(command)}</td>
    <td><${InstanceLink} id=${instance} /></td>
    <td class="number">${ago(createdAt, now)}</td>
    <td>${wait && state !== 'Running' ? wait.text : ending}</td>
  </tr>`;
}
