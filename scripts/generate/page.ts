/** A reference page: title, where it comes from, body. */
export function page(title: string, source: string, body: string): string {
  return [
    `# ${title}`,
    '',
    `<!-- Written by scripts/generate-docs.ts from ${source}. Do not edit: change it there. -->`,
    '<!-- prettier-ignore-start -->',
    '',
    body.trim(),
    '',
    '<!-- prettier-ignore-end -->',
    '',
  ].join('\n');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function code(text: string): string {
  return `\`${text}\``;
}
