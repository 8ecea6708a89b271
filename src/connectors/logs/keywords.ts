/** What a tag stands for in the text of a record. Every pattern is an alternation of words: linear in the text. */
const KEYWORDS: readonly (readonly [tag: string, words: RegExp])[] = [
  ['error', /\berrors?\b|[a-z]Error\b/i],
  ['exception', /\bexceptions?\b|[a-z]Exception\b/],
  ['failed', /\bfail(?:ed|ure|ures)\b/i],
  ['timeout', /\b(?:time-?outs?|timed[ _-]out|times out|timing out|etimedout)\b|timeout(?:error|exception)\b/i],
  ['deadlock', /\bdead-?lock(?:s|ed)?\b|deadlock(?:error|exception)\b/i],
  ['oom', /\b(?:oom|oom[-_ ]?kill(?:ed|er|ing)?|out[ _-]of[ _-]memory|enomem)\b|outofmemory(?:error|exception)\b/i],
  ['deprecated', /\bdeprecat(?:ed|ion)\b|DeprecationWarning\b/i],
  ['slow_query', /\bslow[ _-](?:query|queries|sql)\b/i],
  ['stack_trace', /^Traceback \(|^\s{1,16}at \S|^\s{1,16}File "|^Caused by:/m],
];

export function keywordTags(text: string): readonly string[] {
  return KEYWORDS.filter(([, words]) => words.test(text)).map(([tag]) => tag);
}
