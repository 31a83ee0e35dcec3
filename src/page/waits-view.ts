import { ask } from './api.js';
import { dateTime } from './format.js';
import { messageOf } from './hooks.js';
import { Failure } from './pieces.js';
import { html, useState, type VNode } from './vendor/preact.js';
import type { Summary } from './wire.js';

/** Wait reasons, the most frequent first. */
export function Waits({ summary }: { summary: Summary }): VNode | null {
  if (summary.waits.length === 0) return null;
  return html`<section class="card" aria-label="Wait reasons">
    <h2>Wait reasons</h2>
    <ul class="plain">
      ${summary.waits.map(
        ({ code, count, example }) => html`<li key=${code}><strong>${count}</strong> ${example}</li>`,
      )}
    </ul>
  </section>`;
}

/** Breakers that are not closed, each with a button to close it. */
export function Breakers({ summary }: { summary: Summary }): VNode | null {
  const [error, setError] = useState<string | undefined>(undefined);
  if (summary.breakers.length === 0) return null;
  const reset = (key: string) => (): void => {
    setError(undefined);
    ask('/v1/breakers/reset', { key }).catch((failure: unknown) => setError(messageOf(failure)));
  };
  return html`<section class="card" aria-label="Breakers">
    <h2>Breakers</h2>
    <${Failure} text=${error} />
    <ul class="plain">
      ${summary.breakers.map(
        ({ key, state, reason, until }) =>
          html`<li key=${key}>
            <strong>${key}</strong> ${state}: ${reason}
            ${until ? html` <span class="quiet">until ${dateTime(until)}</span>` : null} ${' '}<button
              class="small"
              onClick=${reset(key)}
            >
              Reset
            </button>
          </li>`,
      )}
    </ul>
  </section>`;
}
