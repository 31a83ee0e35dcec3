import { ask } from './api.js';
import { Failure } from './pieces.js';
import { html, useState, type VNode } from './vendor/preact.js';

/** Asks for the management token; the daemon responds with a cookie that scripts cannot read. */
export function LoginView({ onLogin }: { onLogin(): void }): VNode {
  const [error, setError] = useState<string | undefined>(undefined);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const token = new FormData(form).get('token') as string;
    try {
      await ask('/v1/login', { token: token.trim() });
      onLogin();
    } catch (failure) {
      setError((failure as Error).message);
      form.reset();
    }
  };
  return html`<main class="login">
    <form class="card" onSubmit=${submit}>
      <h1>Longshore</h1>
      <label>
        Management token
        <input name="token" type="password" required autofocus autocomplete="current-password" />
      </label>
      <p class="quiet">It is the <code>managementToken</code> of the daemon’s configuration.</p>
      <${Failure} text=${error} />
      <button class="primary" type="submit">Log in</button>
    </form>
  </main>`;
}
