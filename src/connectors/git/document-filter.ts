import type { BytePath } from './git-path.ts';

const EXTENSIONS: ReadonlySet<string> = new Set(
  'md markdown mdown mdx qmd txt text rst adoc asciidoc org textile html htm'.split(' '),
);

// Files that are prose by custom, whatever their case, when they have no extension.
const NAMES: ReadonlySet<string> = new Set(
  (
    'readme license licence copying notice changelog changes history news contributing contributors authors maintainers ' +
    'code_of_conduct security support governance install roadmap todo'
  ).split(' '),
);

export type TextFormat = 'markdown' | 'html' | 'plain';

/** Whether the name alone makes a file a document. What is inside is looked at later. */
export function isDocumentName(path: BytePath): boolean {
  const { stem, extension } = partsOf(path);
  return extension === '' ? NAMES.has(stem) : EXTENSIONS.has(extension);
}

/** Lower case, without the dot; '' when there is none. */
export function extensionOf(path: BytePath): string {
  return partsOf(path).extension;
}

export function formatOf(path: BytePath): TextFormat {
  const extension = extensionOf(path);
  if (extension === 'html' || extension === 'htm') return 'html';
  return ['md', 'markdown', 'mdown', 'mdx', 'qmd', ''].includes(extension) ? 'markdown' : 'plain';
}

function partsOf(path: BytePath): { stem: string; extension: string } {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const dot = name.lastIndexOf('.');
  // `.md` alone is a hidden file without an extension, as `.gitignore` is.
  return dot <= 0 ? { stem: name, extension: '' } : { stem: name.slice(0, dot), extension: name.slice(dot + 1) };
}
