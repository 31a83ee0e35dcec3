import { ask, part } from './api.js';
import { clockTime, dateTime, plainText } from './format.js';
import { useLoaded } from './hooks.js';
import { Failure } from './pieces.js';
import { html, type VNode } from './vendor/preact.js';
import type { Explanation } from './wire.js';

const maxEntries = 300;

/** Explanation and history of an instance or container; fetched again when `changes` does. */
export function AccountView({ id, changes }: { id: string; changes: unknown }): VNode {
  const { value, error } = useLoaded<Explanation>(() => ask(`/v1/explain/${part(id)}`), [id, changes]);
  const history = value?.history.slice(-maxEntries).toReversed() ?? [];
  return html`<section class="card" aria-label="Why">
      <h2>Why</h2>
      <${Failure} text=${error} />
      ${value?.lines.map((line, index) => html`<p key=${index}>${plainText(line)}</p>`)}
    </section>
    <section class="card" aria-label="Timeline">
      <h2>History</h2>
      <ol class="ticker history" tabindex="0" aria-label="History, newest first">
        ${history.map(
          ({ at, text }, index) =>
            html`<li key=${history.length - index} title=${dateTime(at)}>
              <time>${clockTime(at)}</time> <span class="what">${plainText(text)}</span>
            </li>`,
        )}
      </ol>
    </section>`;
}
