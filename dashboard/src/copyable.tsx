import { useRef, useState } from 'preact/hooks';
import type { Overview } from './overview.ts';

const SAID_MS = 2_000;

/** A line to copy. Where the clipboard is refused (plain http on another host) the text is selected instead. */
export function Copyable({ text, overview }: { text: string; overview: Overview }) {
  const code = useRef<HTMLElement>(null);
  const [said, setSaid] = useState('Copy');
  const say = (word: string, announced: string): void => {
    setSaid(word);
    overview.announce(announced);
    overview.browser.after(SAID_MS, () => setSaid('Copy'));
  };
  const copy = async (): Promise<void> => {
    try {
      await overview.browser.copy(text);
      say('Copied', 'Copied.');
    } catch {
      if (code.current !== null) window.getSelection()?.selectAllChildren(code.current);
      say('Selected', 'Selected; copy it with the keyboard.');
    }
  };
  return (
    <span class="copyable">
      <code ref={code}>{text}</code>
      <button type="button" class="quiet-button" onClick={() => void copy()}>
        {said}
        <span class="unseen"> {text}</span>
      </button>
    </span>
  );
}
