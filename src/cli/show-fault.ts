import type { Fault } from '#core/fault.ts';
import { toPlainText } from '#core/plain-text.ts';
import { toJsonText, type Terminal } from './terminal.ts';

/** What happened and where, then what to do, then the code; with --json the same as one problem object. Always on stderr. */
export function showFault(terminal: Terminal, fault: Fault): void {
  const { code, hint, problems } = fault;
  if (terminal.json) {
    const problem = {
      type: 'about:blank',
      title: code.replaceAll('_', ' '),
      status: fault.row.http,
      code,
      detail: fault.message,
      hint,
      ...(problems.length > 0 ? { problems } : {}),
    };
    terminal.note(toJsonText(problem));
    return;
  }
  terminal.note(`${terminal.paintNote('red', 'weir:')} ${toPlainText(fault.message)}`);
  terminal.note(`      ${toPlainText(hint)} ${terminal.paintNote('dim', `[${code}]`)}`);
}
