import { DISPLAY_LIMITS, displayText } from './display-text.ts';

const HIT_START = '\u0002';
const HIT_END = '\u0003';

export interface SnippetPart {
  readonly text: string;
  readonly hit: boolean;
}

/**
 * Snippet → parts in order; hits stand between U+0002 and U+0003. Total: marks without a partner, or nested ones, only
 * switch the state, so every other character is kept exactly once and none becomes markup.
 */
export function snippetParts(snippet: string): SnippetPart[] {
  const parts: SnippetPart[] = [];
  let hit = false;
  for (const piece of snippet.slice(0, DISPLAY_LIMITS.textCharsMax).split(/([\u0002\u0003])/)) {
    if (piece === HIT_START || piece === HIT_END) hit = piece === HIT_START;
    else if (piece !== '') parts.push({ text: displayText(piece), hit });
  }
  return parts;
}
