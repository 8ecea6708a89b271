import { contextOf } from './context.ts';
import { keywordTags } from './keywords.ts';
import { LOGS_LIMITS } from './limits.ts';
import type { LogRecord } from './parse-record.ts';
import { redactLine } from './redact-line.ts';
import { type Template, TemplateTree } from './template.ts';
import type { Severity } from '#sdk/index.ts';

/** Records of one template, severity and service within one page and one span of time: what becomes one event. */
export interface Group {
  readonly template: Template | undefined;
  readonly severity: Severity;
  readonly level: string;
  /** File offset of the first record: with the file's identity the event's key. */
  readonly start: number;
  /** File offset behind the last record: grows with the group, so it is the event's version. */
  end: number;
  count: number;
  /** The first time seen, from which the span is counted. */
  anchorMs: number | undefined;
  firstMs: number | undefined;
  lastMs: number | undefined;
  readonly title: string;
  readonly context: Readonly<Record<string, string>>;
  readonly tags: Set<string>;
  readonly samples: Sample[];
}

interface Sample {
  readonly start: number;
  readonly text: string;
  readonly truncated: boolean;
}

/**
 * Gathers the records of one page. Everything in a group follows from the page's bytes alone (times of records that have
 * none are left open), so reading the page again gives the same groups.
 */
export class PageGroups {
  readonly #templates = new TemplateTree();
  readonly #current = new Map<Template | string, Group>();
  readonly #all: Group[] = [];
  #lastMs: number | undefined;

  get groups(): readonly Group[] {
    return this.#all;
  }

  /** `alone`: a group of its own, because what the record says may change when the file grows. */
  add(record: LogRecord, alone = false): void {
    const { raw, severity } = record;
    this.#lastMs = record.timeMs() ?? this.#lastMs; // a line without a time happened when the one above it did
    const message = redactLine(record.message);
    const level = record.level ?? 'unknown';
    const template = this.#templates.templateOf(`${severity} ${level} ${record.service ?? ''}`, message);
    const place = template ?? severity;
    let group = alone ? undefined : this.#current.get(place);
    if (group === undefined || this.#isPast(group)) {
      group = newGroup(record, template, level, message);
      if (!alone) this.#current.set(place, group);
      this.#all.push(group);
    }
    group.end = raw.end;
    group.count += 1;
    this.#addTime(group);
    if (group.samples.length < LOGS_LIMITS.samplesMax) addSample(group, record);
  }

  #isPast(group: Group): boolean {
    return (
      group.anchorMs !== undefined &&
      this.#lastMs !== undefined &&
      this.#lastMs - group.anchorMs > LOGS_LIMITS.groupSpanMs
    );
  }

  #addTime(group: Group): void {
    const at = this.#lastMs;
    if (at === undefined) return;
    group.anchorMs ??= at;
    // Clocks go back; first and last stay the bounds of what was seen.
    group.firstMs = Math.min(group.firstMs ?? at, at);
    group.lastMs = Math.max(group.lastMs ?? at, at);
  }
}

function newGroup(record: LogRecord, template: Template | undefined, level: string, message: string): Group {
  return {
    template,
    severity: record.severity,
    level,
    start: record.raw.start,
    end: record.raw.end,
    count: 0,
    anchorMs: undefined,
    firstMs: undefined,
    lastMs: undefined,
    title: message === '' ? redactLine(record.raw.head.slice(0, LOGS_LIMITS.messageCharsMax)) : message,
    context: contextOf(record),
    tags: new Set(level === 'unknown' ? [] : [level]),
    samples: [],
  };
}

function addSample(group: Group, { raw }: LogRecord): void {
  const whole = [raw.head.slice(0, LOGS_LIMITS.messageCharsMax), ...raw.rest]
    .join('\n')
    .slice(0, 2 * LOGS_LIMITS.messageCharsMax);
  // Redacted before it is cut: a secret must not hide behind its own missing end.
  const text = redactLine(whole).slice(0, LOGS_LIMITS.sampleCharsMax).toWellFormed();
  group.samples.push({ start: raw.start, text, truncated: raw.truncated });
  for (const tag of keywordTags(text)) group.tags.add(tag);
}
