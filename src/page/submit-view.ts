import { ask, part, Refused } from './api.js';
import { messageOf, useLoaded } from './hooks.js';
import { Failure } from './pieces.js';
import {
  countOf,
  draftOf,
  emptyDraft,
  FieldError,
  fieldOf,
  requestOf,
  scriptOf,
  wordsOf,
  type Draft,
  type Field,
  type RequestBody,
} from './request-draft.js';
import { html, useEffect, useState, type VNode } from './vendor/preact.js';
import type { ContainerBody } from './wire.js';

type Errors = Partial<Record<Field | 'form', string>>;

interface FormParts {
  draft: Draft;
  errors: Errors;
  change(to: Partial<Draft>): void;
}

/** A form for a new container, empty or filled from an earlier one. */
export function SubmitView({ like }: { like: string | undefined }): VNode {
  const { value, error } = useLoaded<RequestBody | undefined>(
    () => (like === undefined ? Promise.resolve(undefined) : ask(`/v1/containers/${part(like)}/request`)),
    [like],
  );
  const isReady = like === undefined || value !== undefined;
  return html`<h1>Submit</h1>
    <${Failure} text=${isReady ? undefined : error} />
    ${isReady ? html`<${Form} initial=${value ? draftOf(value) : emptyDraft} />` : null}`;
}

function Form({ initial }: { initial: Draft }): VNode {
  const [draft, setDraft] = useState(initial);
  const [errors, setErrors] = useState<Errors>({});
  const [isBusy, setBusy] = useState(false);
  const change = (to: Partial<Draft>): void => setDraft((before) => ({ ...before, ...to }));
  useEffect(() => document.querySelector<HTMLElement>('form [aria-invalid=true]')?.focus(), [errors]);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const container = requestOf(draft);
      const containers = Array.from({ length: countOf(draft) }, () => container);
      const { items } = await ask<{ items: ContainerBody[] }>('/v1/containers', { containers });
      location.hash = items.length === 1 ? `#/containers/${part(items[0]!.uuid)}` : '#/containers';
    } catch (failure) {
      setErrors(errorsOf(failure));
      setBusy(false);
    }
  };
  const parts: FormParts = { draft, errors, change };
  return html`<form class="card form" onSubmit=${submit} novalidate>
    <${CommandField} ...${parts} />
    <${Input} ...${parts} name="name" title="Name" maxlength="200" />
    <${Input} ...${parts} name="image" title="Image" placeholder="none" />
    <${Input} ...${parts} name="vcpus" title="vCPUs" inputmode="numeric" />
    <${Input} ...${parts} name="ram" title="RAM" placeholder="500MB, 2GiB" />
    <${Input} ...${parts} name="scratch" title="Scratch" />
    <${Input} ...${parts} name="priority" title="Priority" inputmode="numeric" />
    <${Input} ...${parts} name="attempts" title="Attempts" inputmode="numeric" />
    <${Input} ...${parts} name="maxRunTime" title="Time limit, 0 for none" placeholder="90s, 2h" />
    <${Area} ...${parts} name="env" title="Environment: NAME=value lines, or JSON" rows="2" />
    <${More} ...${parts} />
    <${Input} ...${parts} name="count" title="Number of containers" inputmode="numeric" />
    <${Check} ...${parts} name="preemptible" title="may run on preemptible instances" />
    <${Failure} text=${errors.form} />
    <div class="buttons wide"><button class="primary" type="submit" disabled=${isBusy}>Submit</button></div>
  </form>`;
}

function CommandField({ draft, errors, change }: FormParts): VNode {
  const asWords = (): void => {
    const words = draft.command === '' ? '' : JSON.stringify(['sh', '-c', draft.command]);
    change({ isScript: false, command: words });
  };
  const script = draft.isScript ? draft.command : scriptIn(draft);
  const title = draft.isScript ? 'Command, run by sh -c' : 'Command, a JSON list of words';
  const mode = (isScript: boolean, text: string, choose: () => void): VNode =>
    html`<label class="check"
      ><input
        type="radio"
        name="mode"
        checked=${draft.isScript === isScript}
        disabled=${isScript && script === undefined}
        onChange=${choose}
      />
      ${text}</label
    >`;
  return html`<div class="wide field">
    <fieldset aria-label="Form of the command">
      ${mode(true, 'shell script', () => change({ isScript: true, command: script ?? '' }))}
      ${mode(false, 'words', asWords)}
    </fieldset>
    <${Area} draft=${draft} errors=${errors} change=${change} name="command" title=${title} rows="4" />
  </div>`;
}

/** Returns the script if the entered words are `sh -c SCRIPT`. */
function scriptIn(draft: Draft): string | undefined {
  try {
    const words = wordsOf(draft);
    return Array.isArray(words) ? scriptOf(words as string[]) : undefined;
  } catch {
    return undefined;
  }
}

/** Rarely used fields; open when one of them is set or invalid. */
function More(parts: FormParts): VNode {
  const fields = [
    'cwd',
    'retryOn',
    'retryDelay',
    'gpu',
    'onDemandFallback',
    'idempotencyKey',
    'supervisor',
  ] as const;
  const { draft, errors, change } = parts;
  const isOpen = fields.some((field) => draft[field] !== emptyDraft[field] || errors[field] !== undefined);
  return html`<details open=${isOpen}>
    <summary>More</summary>
    <div>
      <${Input} ...${parts} name="cwd" title="Working directory" />
      <${Input} ...${parts} name="retryOn" title="Retry on exit codes" placeholder="any; 75, 111; none" />
      <${Input} ...${parts} name="retryDelay" title="Delay before the second attempt" placeholder="10s" />
      <${Input} ...${parts} name="gpu" title="GPU, in JSON" placeholder='{"stack":"cuda","deviceCount":1}' />
      <${Input} ...${parts} name="idempotencyKey" title="Idempotency key" maxlength="200" />
      <label
        >On-demand instances while there is no spot capacity
        <select
          name="onDemandFallback"
          value=${draft.onDemandFallback}
          onChange=${(event: Event) => change({ onDemandFallback: (event.target as HTMLSelectElement).value })}
        >
          <option value="">as configured</option>
          <option value="yes">yes</option>
          <option value="no">no</option>
        </select>
      </label>
      <${Check} ...${parts} name="supervisor" title="workflow runner: submits other containers" />
    </div>
  </details>`;
}

interface FieldProps extends FormParts {
  name: Field;
  title: string;
  [attribute: string]: unknown;
}

function Input({ draft, errors, change, name, title, ...attributes }: FieldProps): VNode {
  return html`<div class="field">
    <label
      >${title} <input ...${{ ...attributes, ...controlOf(draft, errors, name, change) }} autocomplete="off"
    /></label>
    <${FieldFailure} name=${name} text=${errors[name]} />
  </div>`;
}

function Area({ draft, errors, change, name, title, ...attributes }: FieldProps): VNode {
  return html`<div class="wide field">
    <label
      >${title}
      <textarea
        ...${{ ...attributes, ...controlOf(draft, errors, name, change) }}
        spellcheck="false"
      ></textarea>
    </label>
    <${FieldFailure} name=${name} text=${errors[name]} />
  </div>`;
}

function Check({ draft, change, name, title }: FieldProps): VNode {
  return html`<label class="check"
    ><input
      name=${name}
      type="checkbox"
      checked=${draft[name]}
      onChange=${(event: Event) => change({ [name]: (event.target as HTMLInputElement).checked })}
    />
    ${title}</label
  >`;
}

function controlOf(
  draft: Draft,
  errors: Errors,
  name: Field,
  change: FormParts['change'],
): Record<string, unknown> {
  return {
    name,
    value: draft[name],
    onInput: (event: Event) => change({ [name]: (event.target as HTMLInputElement).value }),
    'aria-invalid': errors[name] === undefined ? undefined : 'true',
    'aria-describedby': errors[name] === undefined ? undefined : `wrong-${name}`,
  };
}

const FieldFailure = ({ name, text }: { name: string; text: string | undefined }): VNode | null =>
  text === undefined ? null : html`<p class="failure" role="alert" id="wrong-${name}">${text}</p>`;

/** Assigns each message of the daemon to its field. */
function errorsOf(failure: unknown): Errors {
  if (failure instanceof FieldError) return { [failure.field]: failure.message };
  if (!(failure instanceof Refused)) return { form: messageOf(failure) };
  const errors: Partial<Record<Field | 'form', string[]>> = {};
  for (const { field = 'form', text } of failure.errors.map(fieldOf)) {
    const texts = (errors[field] ??= []);
    if (!texts.includes(text)) texts.push(text);
  }
  return Object.fromEntries(Object.entries(errors).map(([field, texts]) => [field, texts.join('\n')]));
}
