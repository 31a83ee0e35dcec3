import { messageOf } from './hooks.js';
import { Failure } from './pieces.js';
import { html, useEffect, useRef, useState, type VNode } from './vendor/preact.js';

export interface OrderDialogProps {
  title: string;
  /** The consequence of the command. */
  consequence: string;
  action: string;
  isDangerous?: boolean;
  give(reason: string): Promise<unknown>;
  close(): void;
}

/** Asks for a reason and a confirmation before an operator command. */
export function OrderDialog({
  title,
  consequence,
  action,
  isDangerous,
  give,
  close,
}: OrderDialogProps): VNode {
  const dialog = useRef<HTMLDialogElement | null>(null);
  const [reason, setReason] = useState('');
  const [error, setError] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current!.showModal(), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await give(reason.trim());
      close();
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="order-title">
    <form onSubmit=${submit}>
      <h2 id="order-title">${title}</h2>
      <p>${consequence}</p>
      <label>
        Reason
        <input
          name="reason"
          maxlength="500"
          autocomplete="off"
          placeholder="kept in the journal"
          value=${reason}
          onInput=${(event: Event) => setReason((event.target as HTMLInputElement).value)}
        />
      </label>
      <${Failure} text=${error} />
      <div class="buttons">
        <button type="button" onClick=${() => dialog.current!.close()}>Back</button>
        <button type="submit" class=${isDangerous ? 'danger' : 'primary'} disabled=${isBusy}>
          ${action}
        </button>
      </div>
    </form>
  </dialog>`;
}
