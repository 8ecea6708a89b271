// Rows are walked by moving the focus between their name buttons, so that Enter opens, and screen readers say where they are.

const ROW_BUTTON = 'button[data-row]';

export function moveRowFocus(step: 1 | -1): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>(ROW_BUTTON)];
  const at = buttons.findIndex((button) => button.dataset['row'] === focusedRow());
  const next = at === -1 ? (step === 1 ? 0 : buttons.length - 1) : Math.min(Math.max(at + step, 0), buttons.length - 1);
  buttons[next]?.focus();
}

export function leaveRows(): void {
  if (focusedRow() !== undefined && document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

export function focusFirstRow(): void {
  document.querySelector<HTMLButtonElement>(ROW_BUTTON)?.focus();
}

/** Row key of the connector whose row, or details, the focus is in. */
export function focusedRow(): string | undefined {
  return document.activeElement?.closest<HTMLElement>('tr[data-row]')?.dataset['row'];
}
