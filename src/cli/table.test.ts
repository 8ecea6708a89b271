import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { recordingHost } from './fixtures/recording-host.ts';
import { renderTable, type Column } from './table.ts';
import { widthOf } from './terminal.ts';

interface Row {
  readonly name: string;
  readonly count: number;
}

const columns: readonly Column<Row>[] = [
  { title: 'Name', text: ({ name }) => name, shrink: true },
  { title: 'Count', align: 'right', text: ({ count }) => String(count) },
];

function linesOf(rows: readonly Row[], options: Parameters<typeof recordingHost>[0] = {}): readonly string[] {
  const { host, out } = recordingHost(options);
  renderTable(host.terminal, columns, rows);
  return out().split('\n').slice(0, -1);
}

describe('renderTable', () => {
  test('columns are aligned, numbers to the right, and no line ends in blanks', () => {
    expect(
      linesOf([
        { name: 'git', count: 7 },
        { name: 'a longer name', count: 1234 },
      ]),
    ).toEqual(['Name           Count', 'git                7', 'a longer name   1234']);
  });

  test('in a pipe a cell of any length is whole, uncoloured and on one line', () => {
    const name = `${'x'.repeat(2000)}\n${'田'.repeat(500)}`;
    const [, line] = linesOf([{ name, count: 1 }], { columns: 40 });
    expect(line).toBe(`${name.replace('\n', ' ')}      1`);
  });

  test('on a terminal the column that gives way is cut with a mark and the line fits', () => {
    const lines = linesOf(
      [
        { name: 'x'.repeat(200), count: 12345 },
        { name: '田'.repeat(100), count: 1 },
      ],
      { columns: 40, outIsTerminal: true, env: { NO_COLOR: '1' } },
    );
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(40);
    expect(lines[1]).toMatch(/^x+… {2}12345$/);
    expect(lines[2]).toMatch(/^田+… +1$/);
  });

  test('a terminal narrower than the table keeps enough of the name to know it', () => {
    const [, line] = linesOf([{ name: 'x'.repeat(200), count: 1 }], {
      columns: 3,
      outIsTerminal: true,
      env: { NO_COLOR: '1' },
    });
    expect(line).toMatch(/^x{11}…/);
  });

  test('whatever the cells hold, there is one line per row and all cells of a column begin in the same place', () => {
    const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: text, count: fc.nat() }), { maxLength: 5 }),
        fc.boolean(),
        (rows, outIsTerminal) => {
          const lines = linesOf(rows, { outIsTerminal, env: { NO_COLOR: '1' } });
          expect(lines).toHaveLength(rows.length + 1);
          for (const line of lines)
            expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
          // The last column is aligned to the right: every line ends in the same column.
          expect(new Set(lines.map(widthOf)).size).toBe(1);
        },
      ),
    );
  });

  test('paint sees the padded text, so that colour moves no column', () => {
    const { host, out } = recordingHost({ outIsTerminal: true });
    renderTable(
      host.terminal,
      [
        { title: 'Health', text: () => 'ok', paint: (text) => host.terminal.paint('green', text) },
        { title: 'B', text: () => 'b' },
      ],
      [1],
    );
    expect(out()).toContain('\u001b[32mok    \u001b[39m  b\n');
  });
});
