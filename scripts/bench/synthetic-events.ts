// The same documents on every machine and in every run: made from a seed, with word frequencies like those of prose.
// Zipf matters for full-text search: equally frequent words would give an index no real text has.

import {
  sealEvent,
  versionOfCounter,
  type EventDraft,
  type EventSource,
  type SealedEvent,
} from '../../src/core/event.ts';

export const SOURCE: EventSource = { tenant: 'bench', connection: 'notes', connector: 'synthetic', stream: 'docs' };

const SEED = 20_260_101;
const VOCABULARY_WORDS = 20_000;
const TEXT_CHARS = 700; // with title, links and the envelope: one event serialises to about 1 kB
const FIRST_TIME_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const ONSETS = [
  'b',
  'br',
  'c',
  'cl',
  'd',
  'dr',
  'f',
  'g',
  'gr',
  'h',
  'j',
  'k',
  'l',
  'm',
  'n',
  'p',
  'pr',
  'r',
  's',
  'st',
  't',
  'tr',
  'v',
  'w',
];
const NUCLEI = ['a', 'e', 'i', 'o', 'u', 'ai', 'ea', 'ou'];
const CODAS = ['', '', '', 'n', 'r', 's', 't', 'l', 'nd', 'st'];

/** Document number `index`, always the same one. Titles end in the number, so that each can be searched for. */
export function draftOf(index: number): EventDraft {
  const random = randomFrom(SEED + index);
  const { words } = vocabulary();
  const text = textOf(random);
  const path = pathOf(index);
  return {
    kind: 'document',
    op: 'upsert',
    key: path,
    version: versionOfCounter(1),
    time: new Date(FIRST_TIME_MS + index * MINUTE_MS).toISOString(),
    title: titleOf(index),
    url: `https://notes.example/${path}`,
    tags: [words[index % 40] ?? 'note'],
    links: linksOf(index, random),
    text,
    data: { words: text.split(' ').length },
  };
}

export function titleOf(index: number): string {
  const { words } = vocabulary();
  return `Note on ${words[(index * 7) % 5000] ?? 'things'} ${index}`;
}

/** `count` events from `first` on, as the log stores them. */
export function sealedEvents(count: number, first = 0): SealedEvent[] {
  return Array.from({ length: count }, (_, offset) => sealEvent(SOURCE, draftOf(first + offset)));
}

function pathOf(index: number): string {
  return `docs/${String(index).padStart(7, '0')}.md`;
}

function linksOf(index: number, random: () => number): { rel: string; to: string }[] {
  const count = Math.min(index, Math.floor(random() * 3));
  return Array.from({ length: count }, () => ({ rel: 'links', to: pathOf(Math.floor(random() * index)) }));
}

function textOf(random: () => number): string {
  const { words, cumulative } = vocabulary();
  let text = '';
  let inSentence = 0;
  while (text.length < TEXT_CHARS) {
    const word = words[rankOf(cumulative, random())] ?? '';
    text += inSentence === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : ` ${word}`;
    inSentence += 1;
    if (inSentence > 6 && random() < 0.15) {
      text += random() < 0.2 ? '.\n\n' : '. ';
      inSentence = 0;
    }
  }
  return `${text}.`;
}

interface Vocabulary {
  readonly words: readonly string[];
  /** Running sum of the probabilities 1/rank, ending in 1. */
  readonly cumulative: Float64Array;
}

let known: Vocabulary | undefined;

function vocabulary(): Vocabulary {
  known ??= makeVocabulary();
  return known;
}

function makeVocabulary(): Vocabulary {
  const random = randomFrom(SEED);
  const words = new Set<string>();
  while (words.size < VOCABULARY_WORDS) words.add(wordOf(random, 1 + Math.floor(Math.log10(words.size + 1) / 1.3)));
  const cumulative = new Float64Array(VOCABULARY_WORDS);
  let sum = 0;
  for (let rank = 0; rank < VOCABULARY_WORDS; rank += 1) cumulative[rank] = sum += 1 / (rank + 1);
  return { words: [...words], cumulative: cumulative.map((value) => value / sum) };
}

/** Frequent words are short, as in any language. */
function wordOf(random: () => number, syllables: number): string {
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '';
  let word = '';
  for (let count = 0; count < syllables; count += 1) word += pick(ONSETS) + pick(NUCLEI) + pick(CODAS);
  return word;
}

function rankOf(cumulative: Float64Array, share: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((cumulative[middle] ?? 1) < share) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Mulberry32: 32 bits of state are plenty for text, and the next document needs no memory of this one. */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
