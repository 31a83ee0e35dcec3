import { ask, part } from './api.js';
import { messageOf } from './hooks.js';
import { Failure } from './pieces.js';
import { html, useState, type VNode } from './vendor/preact.js';
import type { ContainerBody } from './wire.js';

interface Draft {
  name?: string;
  command?: string[];
  env?: Record<string, string>;
  image?: string;
  cwd?: string;
  priority?: string;
  attempts?: number;
  vcpus?: number;
  ram?: number | string;
  scratch?: number | string;
  preemptible?: boolean;
  maxRunTimeMs?: number;
}

/** A form for a new container. */
export function SubmitView(): VNode {
  const [draft] = useState(readDraft);
  const [error, setError] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const body = bodyOf(new FormData(event.target as HTMLFormElement));
      const { items } = await ask<{ items: ContainerBody[] }>('/v1/containers', body);
      location.hash = items.length === 1 ? `#/containers/${part(items[0]!.uuid)}` : '#/containers';
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };
  const isShell = draft.command?.[0] === 'sh' && draft.command[1] === '-c';
  const words = isShell ? draft.command![2] : draft.command?.join(' ');
  return html`<h1>Submit</h1>
    <form class="card form" onSubmit=${submit}>
      <label class="wide"
        ><span>Command, run by <code>sh -c</code></span>
        <textarea name="script" rows="4" required spellcheck="false" value=${words ?? ''}></textarea>
      </label>
      <label>Name <input name="name" maxlength="200" value=${draft.name ?? ''} /></label>
      <label>Image <input name="image" value=${draft.image ?? ''} placeholder="none" /></label>
      <label>vCPUs <input name="vcpus" type="number" min="0" value=${draft.vcpus ?? 1} /></label>
      <label>RAM <input name="ram" value=${draft.ram ?? '64MiB'} placeholder="500MB, 2GiB" /></label>
      <label>Scratch <input name="scratch" value=${draft.scratch ?? '0'} /></label>
      <label>Priority <input name="priority" type="number" value=${draft.priority ?? 1} /></label>
      <label
        >Attempts <input name="attempts" type="number" min="1" max="100" value=${draft.attempts ?? 3}
      /></label>
      <label
        >Longest run, 0 for any
        <input
          name="maxRunTime"
          value=${draft.maxRunTimeMs ? `${draft.maxRunTimeMs / 1_000}s` : '0'}
          placeholder="90s, 2h"
      /></label>
      <label class="wide"
        >Environment, a NAME=value on each line
        <textarea
          name="env"
          rows="2"
          spellcheck="false"
          value=${Object.entries(draft.env ?? {})
            .map(([name, value]) => `${name}=${value}`)
            .join('\n')}
        ></textarea>
      </label>
      <label>How many <input name="count" type="number" min="1" max="10000" value="1" /></label>
      <label class="check"
        ><input name="preemptible" type="checkbox" checked=${draft.preemptible ?? false} /> may run on an
        instance that the cloud can take back</label
      >
      <${Failure} text=${error} />
      <div class="buttons wide"><button class="primary" type="submit" disabled=${isBusy}>Submit</button></div>
    </form>`;
}

function bodyOf(form: FormData): { containers: unknown[] } {
  const text = (name: string): string => ((form.get(name) as string | null) ?? '').trim();
  const env: Record<string, string> = {};
  for (const line of text('env')
    .split('\n')
    .filter((each) => each.trim() !== '')) {
    const equals = line.indexOf('=');
    if (equals < 1) throw new Error(`Environment: "${line}" is not NAME=value.`);
    env[line.slice(0, equals).trim()] = line.slice(equals + 1);
  }
  const maxRunTime = text('maxRunTime');
  const container = {
    name: text('name'),
    command: ['sh', '-c', text('script')],
    env,
    image: text('image'),
    vcpus: Number(text('vcpus')),
    ram: text('ram') || 0,
    scratch: text('scratch') || 0,
    priority: text('priority') || 1,
    attempts: Number(text('attempts')),
    maxRunTime: maxRunTime === '' || maxRunTime === '0' ? 0 : maxRunTime,
    preemptible: form.get('preemptible') !== null,
  };
  return { containers: Array.from({ length: Number(text('count')) || 1 }, () => container) };
}

/** What "submit again" left here. */
function readDraft(): Draft {
  const text = sessionStorage.getItem('longshore:submit');
  sessionStorage.removeItem('longshore:submit');
  return text === null ? {} : (JSON.parse(text) as Draft);
}
