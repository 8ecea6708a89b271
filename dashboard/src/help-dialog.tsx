import type { RefObject } from 'preact';
import type { Signal } from '@preact/signals';
import { KEYS } from './keys.ts';

/** Native dialog: the browser keeps the focus inside, closes it on Escape and gives the focus back. */
export function HelpDialog({ dialog, enabled }: { dialog: RefObject<HTMLDialogElement>; enabled: Signal<boolean> }) {
  return (
    <dialog ref={dialog} aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl class="keys">
        {KEYS.map(({ key, does }) => (
          <div key={key}>
            <dt>
              <kbd>{key.toLowerCase()}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>enter</kbd>
          </dt>
          <dd>open or close the connector the focus is on</dd>
        </div>
      </dl>
      <label class="toggle">
        <input type="checkbox" checked={enabled.value} onChange={() => (enabled.value = !enabled.value)} />
        Single keys do this
      </label>
      <form method="dialog">
        <button>Close</button>
      </form>
    </dialog>
  );
}
