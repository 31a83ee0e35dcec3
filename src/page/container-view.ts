import { AccountView } from './account-view.js';
import { ask, part } from './api.js';
import { ago, bytes, commandLine, dateTime, duration, money, plainText } from './format.js';
import { useFleet, useLoaded, useNow } from './hooks.js';
import type { Fleet } from './live.js';
import { LogView } from './log-view.js';
import { OrderDialog } from './order-dialog.js';
import { Facts, Failure, InstanceLink, OutcomePill } from './pieces.js';
import { html, useState, type VNode } from './vendor/preact.js';
import type { ContainerBody } from './wire.js';

const finalStates = ['Complete', 'Cancelled'];

/** One container: its request, its instance, its output. */
export function ContainerView({ uuid, fleet }: { uuid: string; fleet: Fleet }): VNode {
  useFleet(fleet);
  const changes = fleet.changesOf(uuid);
  const {
    value: container,
    error,
    again,
  } = useLoaded<ContainerBody>(() => ask(`/v1/containers/${part(uuid)}`), [uuid, changes]);
  const [isCancelling, setCancelling] = useState(false);
  if (!container)
    return html`<h1 class="id">${uuid}</h1>
      <${Failure} text=${error} />`;
  const isFinal = finalStates.includes(container.state);
  return html`<div class="heading">
      <h1 class="id">${plainText(container.name) || uuid}</h1>
      <${OutcomePill} container=${container} />
      <div class="buttons" role="group" aria-label="Commands">
        ${isFinal ? null : html`<button class="danger" onClick=${() => setCancelling(true)}>cancel</button>`}
        <a class="button" href="#/submit/${part(uuid)}">submit again</a>
      </div>
    </div>
    <${Failure} text=${error} />
    ${
      isCancelling
        ? html`<${OrderDialog}
            title=${`Cancel ${plainText(container.name) || uuid}`}
            consequence=${container.state === 'Running' ? 'Its processes are stopped. Its output is kept.' : 'It will not run.'}
            action="cancel it"
            isDangerous=${true}
            give=${(reason: string) => ask(`/v1/containers/${part(uuid)}/cancel`, { reason }).then(again)}
            close=${() => setCancelling(false)}
          />`
        : null
    }
    <div class="columns even">
      <${ContainerFacts} container=${container} />
      <div class="stack"><${AccountView} id=${uuid} changes=${changes} /></div>
    </div>
    <${LogView} uuid=${uuid} key=${`${uuid} ${container.attempts} ${isFinal}`} />`;
}

function ContainerFacts({ container }: { container: ContainerBody }): VNode {
  const now = useNow();
  const { startedAt, finishedAt, resources, wait, state } = container;
  const ranMs =
    startedAt === null ? undefined : (finishedAt ? Date.parse(finishedAt) : now) - Date.parse(startedAt);
  return html`<section class="card" aria-label="Facts">
    <h2>Facts</h2>
    <${Facts}
      facts=${[
        ['UUID', html`<span class="id">${container.uuid}</span>`],
        ['Command', html`<code>${commandLine(container.command)}</code>`],
        ['Image', container.image],
        [
          'Requests',
          `${resources.vcpus} vCPU, ${bytes(resources.ramBytes)} RAM, ${bytes(resources.scratchBytes)} scratch${resources.gpus > 0 ? `, ${resources.gpus} GPU` : ''}`,
        ],
        ['Priority', container.priority],
        ['Attempt', `${container.attempts} of ${container.maxAttempts}`],
        ['Waits', wait && state !== 'Running' ? wait.text : null],
        [
          'Instance',
          container.instance && html`<${InstanceLink} id=${container.instance} /> ${container.instanceType}`,
        ],
        ['Submitted', `${dateTime(container.createdAt)}, ${ago(container.createdAt, now)} ago`],
        ['Ran', ranMs !== undefined && `${duration(ranMs)}, from ${dateTime(startedAt)}`],
        ['Exit code', container.exitCode],
        ['Error', container.error],
        ['Cost', container.cost !== null && money(container.cost, 6)],
      ].filter(([, value]) => value !== false)}
    />
  </section>`;
}
