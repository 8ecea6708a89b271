import { EVENT_LIMITS, type EventDraft, type PullFailure } from '#sdk/index.ts';
import type { Content, Size } from './blob-reader.ts';
import { extensionOf, formatOf } from './document-filter.ts';
import { fileNameOf, keyOfPath, urlPathOf, type BytePath } from './git-path.ts';
import { titleOf } from './document-title.ts';
import { textOfHtml } from './html-text.ts';
import { linksOf } from './links.ts';
import type { Repository } from './repository.ts';
import { decodeText } from './text-decoding.ts';
import type { Blob } from './tree-diff.ts';

export const DOCUMENT_LIMITS = {
  // A blob above it is not read at all. Twice the text limit, because UTF-16 and most alphabets take two bytes a character.
  blobBytesMax: 2 * EVENT_LIMITS.textCharsMax,
  lfsPointerBytesMax: 1024, // by git-lfs' own specification
} as const;

// What follows the last dot of a name can be anything: a sentence, other alphabets as raw bytes. Only a word is worth a tag.
const EXTENSION_TAG = /^[a-z0-9_+-]{1,32}$/;
const LFS_MARK = 'version https://git-lfs.github.com/spec/v1';

/** The commit a walk goes to: every event of the walk carries its time, version and id. */
export interface DocumentSource {
  readonly repository: Repository;
  readonly target: string;
  readonly time: string;
  readonly version: number;
}

/** What becomes of one file. `skipped` was left out on purpose, `failed` is kept as a dead letter. */
export type DocumentOutcome =
  | { readonly state: 'document'; readonly event: EventDraft }
  | { readonly state: 'skipped'; readonly reason: 'binary' | 'lfs_pointer' }
  | { readonly state: 'unreadable' | 'too_large' | 'unnameable'; readonly failure: PullFailure };

export function documentOf(from: DocumentSource, path: BytePath, blob: Blob, content: Content): DocumentOutcome {
  const key = keyOfPath(path);
  if (content === 'unreadable') return unreadable(key, blob);
  if (isLfsPointer(content)) return { state: 'skipped', reason: 'lfs_pointer' };
  const decoded = decodeText(content);
  if (decoded === undefined) return { state: 'skipped', reason: 'binary' };
  const format = formatOf(path);
  const text = format === 'html' ? textOfHtml(decoded.text) : decoded.text;
  if (decoded.text.length > EVENT_LIMITS.textCharsMax) return tooLarge(key, content.length);
  const extension = extensionOf(path);
  const event: EventDraft = {
    kind: 'document',
    op: 'upsert',
    key,
    version: from.version,
    time: from.time,
    title: titleOf(decoded.text, format) ?? fileNameOf(path).slice(0, EVENT_LIMITS.titleCharsMax),
    ...urlOf(from, path),
    tags: [
      ...(EXTENSION_TAG.test(extension) ? [extension] : []),
      ...(decoded.encoding === 'utf-8' ? [] : [`encoding:${decoded.encoding}`]),
    ],
    links: linksOf(decoded.text, format, path),
    text,
    context: { commit: from.target },
    data: { path: key, blob: blob.id, mode: blob.mode, bytes: content.length },
  };
  return { state: 'document', event };
}

export function deletionOf(from: DocumentSource, path: BytePath): EventDraft {
  const context = { commit: from.target };
  return {
    kind: 'document',
    op: 'delete',
    key: keyOfPath(path),
    version: from.version,
    time: from.time,
    context,
    data: null,
  };
}

/** What the name and the size alone decide, before anything is read. */
export function refusalOf(path: BytePath, blob: Blob, size: Size): DocumentOutcome | undefined {
  const key = keyOfPath(path);
  if (!isKeyable(path)) {
    const limit = `${EVENT_LIMITS.keyCharsMax} characters`;
    const message = `the path is longer than ${limit}; it begins ${key.slice(0, 100)}`;
    const failure: PullFailure = { key: `blob:${blob.id}`, code: 'record_too_large', message };
    return { state: 'unnameable', failure };
  }
  if (size === 'unreadable') return unreadable(key, blob);
  return size.bytes > DOCUMENT_LIMITS.blobBytesMax ? tooLarge(key, size.bytes) : undefined;
}

export function isKeyable(path: BytePath): boolean {
  return keyOfPath(path).length <= EVENT_LIMITS.keyCharsMax;
}

function isLfsPointer(content: Buffer): boolean {
  return (
    content.length <= DOCUMENT_LIMITS.lfsPointerBytesMax && content.toString('latin1', 0, LFS_MARK.length) === LFS_MARK
  );
}

function tooLarge(key: string, bytes: number): DocumentOutcome {
  const { blobBytesMax } = DOCUMENT_LIMITS;
  const limit = `${EVENT_LIMITS.textCharsMax} characters or ${blobBytesMax} bytes`;
  const message = `${key} has ${bytes} bytes; a document has at most ${limit}: split it, or keep it outside of docs_path`;
  return { state: 'too_large', failure: { key, code: 'record_too_large', message, payload: { bytes } } };
}

function unreadable(key: string, blob: Blob): DocumentOutcome {
  const why = `object ${blob.id} is damaged or not in this clone (partial clones leave blobs out); run git fsck, or clone in full`;
  return { state: 'unreadable', failure: { key, code: 'record_invalid', message: `${key} cannot be read: ${why}` } };
}

// A bare repository has no file to open: the address names repository, path and commit instead.
function urlOf({ repository, target }: DocumentSource, path: BytePath): { url?: string } {
  const root = Buffer.from(repository.workTree ?? repository.gitDir, 'utf8').toString('latin1');
  const place = urlPathOf(`${root}/${path}`);
  const url = repository.workTree === undefined ? `git:${place}@${target}#L{line}` : `file://${place}#L{line}`;
  return url.length <= EVENT_LIMITS.urlCharsMax ? { url } : {};
}
