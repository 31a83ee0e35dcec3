import { part } from './api.js';
import { dateTime, outcomeOf, plainText } from './format.js';
import { html, type VNode } from './vendor/preact.js';
import type { ContainerBody, JournalEntry } from './wire.js';

/** A state as a coloured label. */
export const Pill = ({ state }: { state: string }): VNode =>
  html`<span class="pill" data-kind=${state}>${state}</span>`;

/** The state of a container, or its result. */
export function OutcomePill({ container }: { container: Pick<ContainerBody, 'state' | 'exitCode'> }): VNode {
  const { kind, label } = outcomeOf(container);
  return html`<span class="pill" data-kind=${kind}>${label}</span>`;
}

export const InstanceLink = ({ id }: { id: string }): VNode | null =>
  id === '' ? null : html`<a class="id" href="#/instances/${part(id)}">${id}</a>`;

export const ContainerLink = ({ uuid, name = '' }: { uuid: string; name?: string }): VNode | null =>
  uuid === '' ? null : html`<a class="id" href="#/containers/${part(uuid)}">${plainText(name) || uuid}</a>`;

/** An error, shown where it occurred. */
export const Failure = ({ text }: { text: string | undefined }): VNode | null =>
  text === undefined ? null : html`<p class="failure" role="alert">${text}</p>`;

/** Name and value pairs; empty values are left out. */
export const Facts = ({ facts }: { facts: readonly (readonly [string, unknown])[] }): VNode =>
  html`<dl class="facts">
    ${facts
      .filter(([, value]) => value !== undefined && value !== null && value !== '')
      .map(
        ([name, value]) =>
          html`<div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
  </dl>`;

/** One journal entry on one line. */
export const EntryLine = ({ entry }: { entry: JournalEntry }): VNode =>
  html`<time title=${dateTime(entry.at)}
      >${new Date(entry.at).toLocaleTimeString(undefined, { hour12: false })}</time
    >
    <span class="kind" data-kind=${entry.kind.split('.')[0]}>${entry.kind}</span>
    <span class="what">
      <${InstanceLink} id=${entry.instance ?? ''} /> <${ContainerLink} uuid=${entry.container ?? ''} />
      ${entry.from ? `${entry.from} → ${entry.to ?? ''}` : (entry.to ?? '')}
      ${entry.because ? html`<span class="because"> — ${entry.because}</span>` : null}
    </span>`;
