/** Whether a file name matches a pattern of `*` (any characters) and `?` (one). Two pointers, no backtracking into more than one star: O(name × pattern). */
export function isWildcardMatch(name: string, pattern: string): boolean {
  let at = 0;
  let step = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    if (step < pattern.length && pattern[step] !== '*' && (pattern[step] === '?' || pattern[step] === name[at])) {
      at += 1;
      step += 1;
    } else if (pattern[step] === '*') {
      star = step;
      starAt = at;
      step += 1;
    } else if (star === -1) {
      return false;
    } else {
      starAt += 1;
      at = starAt;
      step = star + 1;
    }
  }
  while (pattern[step] === '*') step += 1;
  return step === pattern.length;
}

export function hasWildcard(text: string): boolean {
  return text.includes('*') || text.includes('?');
}
