import { z } from 'zod';

// The rules of git for names of refs, and `~ ^ @{}` for revisions. No `:`, which would name a file or search messages, and nothing
// that begins like an option or an exclusion.
const REF = /^(?![-^])[^\s:?*[\\\u0000-\u001f\u007f]{1,255}$/;

export const GitConfigSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe(
      'The repository: a work tree, a linked work tree, a bare repository, or a subfolder of a work tree (then only what is below it ' +
        'is synced). Must lie below allowed_paths; relative paths are taken from the first of them.',
    ),
  ref: z
    .string()
    .regex(REF, 'must be a branch, a tag, HEAD or a commit id, without spaces, and not begin with "-"')
    .default('HEAD')
    .describe('The branch, tag or commit that is followed. HEAD is whatever is checked out.'),
  docs_path: z
    .string()
    .max(1024)
    .refine((path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'), {
      error: 'must be a folder inside the repository, such as docs or product/handbook',
    })
    .default('')
    .describe(
      'Only documents below this folder are synced. Empty: the whole repository (or the whole subfolder that path names).',
    ),
  commits: z
    .boolean()
    .default(true)
    .describe('Whether commits are synced too, as signals: the newest 500 at first, then every new one.'),
});

export type GitConfig = z.infer<typeof GitConfigSchema>;
