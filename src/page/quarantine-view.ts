import { ask, part } from './api.js';
import { ago } from './format.js';
import { useNow } from './hooks.js';
import { OrderDialog } from './order-dialog.js';
import { Facts } from './pieces.js';
import { html, useState, type VNode } from './vendor/preact.js';
import type { InstanceBody } from './wire.js';

const consequence =
  'Its quarantine ends, its strikes are cleared, and containers start on it again. If you do not trust it, destroy it instead.';

/** Violations and quarantine of an instance, with a button that ends the quarantine. */
export function Quarantine({ instance }: { instance: InstanceBody }): VNode | null {
  const { quarantine, conduct } = instance;
  const [isAsking, setAsking] = useState(false);
  const now = useNow(5_000);
  if (!quarantine && !conduct) return null;
  return html`<section class="card" aria-label="Quarantine">
    <div class="heading">
      <h2>${quarantine ? 'Quarantine' : 'Strikes'}</h2>
      ${quarantine ? html`<button onClick=${() => setAsking(true)}>clear quarantine</button>` : null}
    </div>
    <${Facts}
      facts=${[
        ['Since', quarantine && `${ago(quarantine.since, now)} ago`],
        ['Because', quarantine?.because],
        ['Strikes', conduct && strikesOf(conduct.strikes)],
        ['Claims refused', conduct?.claimsRefused],
        ['Journal bytes left out', conduct?.bytesLeftOut],
      ]}
    />
    ${isAsking ? html`<${ClearDialog} id=${instance.instance} close=${() => setAsking(false)} />` : null}
  </section>`;
}

function ClearDialog({ id, close }: { id: string; close(): void }): VNode {
  return html`<${OrderDialog}
    title=${`clear quarantine of ${id}`}
    consequence=${consequence}
    action="clear"
    give=${(reason: string) => ask(`/v1/instances/${part(id)}/clear-quarantine`, { reason })}
    close=${close}
  />`;
}

const strikesOf = (strikes: Record<string, number>): string =>
  Object.entries(strikes)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
