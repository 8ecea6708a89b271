import { LOGS_LIMITS } from './limits.ts';
import { maskToken } from './mask-token.ts';

/** A kind of message: its fixed words, with `<*>` where lines differ. Words are replaced while more lines are met. */
export interface Template {
  words: readonly string[];
}

interface Node {
  readonly children: Map<string, Node>;
  readonly templates: Template[];
}

const ANY = '<*>';
const PREFIX_WORDS = 2; // depth of the tree below the word count
const SIMILARITY_MIN = 0.5; // share of equal words that makes a line one of a template's

/**
 * Finds the templates of messages with a prefix tree of fixed depth (Drain, He et al. 2017): first by where the line comes
 * from, then by the number of words, then by its first words. Which template a line gets depends on the lines before it alone.
 */
export class TemplateTree {
  readonly #root: Node = { children: new Map(), templates: [] };
  #count = 0;

  /** The template of a message among those of the same `origin`; undefined when there is no room for a new one. */
  templateOf(origin: string, message: string): Template | undefined {
    const words = wordsOf(message);
    const { node, known } = this.#leaf(origin, words);
    const similar = known ? mostSimilar(node.templates, words) : undefined;
    if (similar !== undefined) {
      similar.words = similar.words.map((word, index) => (word === words[index] ? word : ANY));
      return similar;
    }
    if (!known || this.#count >= LOGS_LIMITS.templatesMax) return undefined;
    this.#count += 1;
    const template = { words };
    node.templates.push(template);
    return template;
  }

  #leaf(origin: string, words: readonly string[]): { node: Node; known: boolean } {
    let node = this.#root;
    for (const step of [origin, String(words.length), ...words.slice(0, PREFIX_WORDS).map(prefixWord)]) {
      const next = node.children.get(step) ?? this.#grow(node, step);
      if (next === undefined) return { node, known: false };
      node = next;
    }
    return { node, known: true };
  }

  // A full node sends every further word to one wildcard child; a full tree grows no more.
  #grow(node: Node, step: string): Node | undefined {
    const name = node.children.size >= LOGS_LIMITS.templateChildrenMax - 1 ? ANY : step;
    const existing = node.children.get(name);
    if (existing !== undefined || this.#count >= LOGS_LIMITS.templatesMax) return existing;
    const child: Node = { children: new Map(), templates: [] };
    node.children.set(name, child);
    return child;
  }
}

// A masked word varies; it must not decide the way through the tree.
function prefixWord(word: string): string {
  return word.includes('<') ? ANY : word;
}

function wordsOf(message: string): readonly string[] {
  const words = message.slice(0, LOGS_LIMITS.templateCharsMax).split(/\s+/, LOGS_LIMITS.tokensMax);
  return words.filter((word) => word !== '').map(maskToken);
}

function mostSimilar(templates: readonly Template[], words: readonly string[]): Template | undefined {
  let best: Template | undefined;
  let bestEqual = Math.max(1, words.length * SIMILARITY_MIN);
  for (const template of templates) {
    let equal = 0;
    for (let index = 0; index < words.length; index += 1) if (template.words[index] === words[index]) equal += 1;
    if (equal === words.length) return template;
    if (equal >= bestEqual && (best === undefined || equal > bestEqual)) {
      best = template;
      bestEqual = equal;
    }
  }
  return best;
}
