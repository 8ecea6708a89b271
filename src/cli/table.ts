import { widthOf, type Terminal } from './terminal.ts';

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'right';
  /** Plain text from anywhere: control characters are neutralised here. */
  readonly text: (row: Row) => string;
  readonly paint?: (text: string, row: Row) => string;
  /** On a terminal, this column gives way when the line is too long. */
  readonly shrink?: boolean;
}

const GAP = '  ';
const CELL_CHARS_MAX = 300;
const SHRUNK_CHARS_MIN = 12;

/** Aligned columns. On a terminal one column may be cut to fit; in a pipe nothing is. */
export function renderTable<Row>(terminal: Terminal, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  const cells = rows.map((row) => columns.map((column) => terminal.fit(column.text(row), CELL_CHARS_MAX)));
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[index] ?? ''))),
  );
  if (terminal.outIsTerminal) shrink(columns, widths, terminal.columns);
  terminal.line(
    terminal.paint('bold', lineOf(columns.map((column, index) => pad(column.title, widths[index] ?? 0, column.align)))),
  );
  for (const [index, row] of rows.entries()) {
    const line = columns.map((column, at) => {
      const width = widths[at] ?? 0;
      const padded = pad(cut(cells[index]?.[at] ?? '', width), width, column.align);
      return column.paint?.(padded, row) ?? padded;
    });
    terminal.line(lineOf(line));
  }
}

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], columnsMax: number): void {
  const at = columns.findIndex((column) => column.shrink === true);
  const excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - columnsMax;
  if (at >= 0 && excess > 0) widths[at] = Math.max(SHRUNK_CHARS_MIN, (widths[at] ?? 0) - excess);
}

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  for (const character of text) {
    if (widthOf(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function pad(text: string, width: number, align: 'right' | undefined): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? space + text : text + space;
}

function lineOf(cells: readonly string[]): string {
  return cells.join(GAP).trimEnd();
}
