import { ask } from './api.js';
import { ContainerView } from './container-view.js';
import { ContainersView } from './containers-view.js';
import { CostsView } from './costs-view.js';
import { FleetView } from './fleet-view.js';
import { useFleet } from './hooks.js';
import { InstanceView } from './instance-view.js';
import { Fleet } from './live.js';
import { LoginView } from './login-view.js';
import { ReplayView } from './replay-view.js';
import { SubmitView } from './submit-view.js';
import { html, render, useEffect, useState, type VNode } from './vendor/preact.js';

/** The page: shows the view in the address, or the login. */
function App(): VNode {
  const [login, setLogin] = useState<'unknown' | 'in' | 'out'>('unknown');
  const path = useHash();
  useEffect(() => {
    const out = (): void => setLogin('out');
    addEventListener('longshore:logged-out', out);
    ask('/v1/status').then(() => setLogin('in'), out);
    return () => removeEventListener('longshore:logged-out', out);
  }, []);
  if (login === 'unknown') return html`<p class="quiet">Loading…</p>`;
  if (login === 'out') return html`<${LoginView} onLogin=${() => setLogin('in')} />`;
  return html`<${Page} path=${path} logOut=${() => setLogin('out')} />`;
}

function Page({ path, logOut }: { path: string[]; logOut(): void }): VNode {
  const [fleet] = useState(() => new Fleet(logOut));
  useEffect(() => {
    fleet.start();
    return () => fleet.stop();
  }, [fleet]);
  const leave = async (): Promise<void> => {
    await ask('/v1/logout', {}).catch(() => {});
    logOut();
  };
  return html`<header>
      <a class="brand" href="#/">Longshore</a>
      <nav aria-label="Views">
        ${[
          ['', 'Fleet'],
          ['containers', 'Containers'],
          ['submit', 'Submit'],
          ['costs', 'Costs'],
        ].map(
          ([name, title]) =>
            html`<a key=${name} href="#/${name}" aria-current=${(path[0] ?? '') === name ? 'page' : undefined}
              >${title}</a
            >`,
        )}
      </nav>
      <${Status} fleet=${fleet} />
      <button class="quiet" onClick=${leave}>Log out</button>
    </header>
    <main>${viewOf(path, fleet)}</main>`;
}

function Status({ fleet }: { fleet: Fleet }): VNode {
  useFleet(fleet);
  const words = { connecting: 'connecting…', live: 'live', lost: 'connection lost, reconnecting' };
  return html`<span class="status" data-status=${fleet.status} role="status">${words[fleet.status]}</span>`;
}

function viewOf([view, id, part]: string[], fleet: Fleet): VNode {
  if (view === 'instances' && id && part === 'replay') return html`<${ReplayView} key=${id} id=${id} />`;
  if (view === 'instances' && id) return html`<${InstanceView} key=${id} id=${id} fleet=${fleet} />`;
  if (view === 'containers' && id) return html`<${ContainerView} key=${id} uuid=${id} fleet=${fleet} />`;
  if (view === 'containers') return html`<${ContainersView} fleet=${fleet} />`;
  if (view === 'submit') return html`<${SubmitView} key=${id} like=${id} />`;
  if (view === 'costs') return html`<${CostsView} />`;
  return html`<${FleetView} fleet=${fleet} />`;
}

/** Returns the parts of the address after `#/`. */
function useHash(): string[] {
  const read = (): string => location.hash.replace(/^#\/?/, '').split('?')[0]!;
  const [hash, setHash] = useState(read());
  useEffect(() => {
    const change = (): void => {
      setHash(read());
      scrollTo(0, 0);
    };
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return hash.split('/').filter(Boolean).map(decoded);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

render(html`<${App} />`, document.getElementById('app')!);
