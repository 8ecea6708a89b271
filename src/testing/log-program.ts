// The steps of which P13 makes random programs, as plain data: a failing program prints and shrinks.

import * as fc from 'fast-check';

export const KEYS = ['k0', 'k1', 'k2'] as const;
export const READERS = ['r1', 'r2', 'late'] as const;
const OWNERS = ['o1', 'o2'] as const;

/** Events of tenant b lie in the same partitions as those of a: only so can one be taken for the other. */
export interface Draft {
  readonly tenant: 'a' | 'b';
  readonly key: (typeof KEYS)[number];
  readonly version: number;
  readonly deletes: boolean;
}

export type Owner = (typeof OWNERS)[number];
export type Reader = (typeof READERS)[number];
/** `ago`: milliseconds before the moment of the step. */
export type From = 'oldest' | 'newest' | { readonly ago: number };
/** The stream being pulled, or the partition of a key as one reader delivers it. */
export type Target = 'stream' | { readonly reader: Reader; readonly key: (typeof KEYS)[number] };

export type Step =
  | {
      readonly step: 'append';
      readonly drafts: readonly Draft[];
      readonly by: Owner | undefined;
      readonly takes: boolean;
      readonly fails: boolean;
    }
  | { readonly step: 'append_and_die'; readonly drafts: readonly Draft[] }
  | { readonly step: 'read'; readonly at: Exclude<Target, 'stream'>; readonly limit: number }
  | {
      readonly step: 'commit';
      readonly at: Exclude<Target, 'stream'>;
      readonly by: Owner;
      /** Asks for the lease first; else it writes with whatever fence it once got, as a zombie would. */
      readonly takes: boolean;
      readonly limit: number;
      readonly rejects: boolean;
      readonly late: boolean;
    }
  | { readonly step: 'acquire'; readonly at: Target; readonly by: Owner; readonly ttlMs: number }
  | { readonly step: 'renew' | 'release'; readonly at: Target; readonly by: Owner; readonly ttlMs: number }
  | { readonly step: 'advance' | 'step_wall'; readonly ms: number }
  /** One owner settles all that every reader has: what a trim needs to have an effect. */
  | { readonly step: 'drain'; readonly by: Owner }
  | {
      readonly step: 'dispatch';
      readonly at: Exclude<Target, 'stream'>;
      readonly by: Owner;
      readonly takes: boolean;
      readonly attempts: number;
      readonly open: boolean;
    }
  | { readonly step: 'register'; readonly reader: Reader; readonly from: From }
  | { readonly step: 'rewind'; readonly reader: Reader; readonly from: From; readonly dryRun: boolean }
  | { readonly step: 'unregister'; readonly reader: Reader }
  | { readonly step: 'trim'; readonly keepMs: number | undefined }
  | { readonly step: 'reopen' | 'crash' | 'compare' };

// Leases end at odd multiples of 50 ms and time moves by hundreds: no program looks at the very millisecond of an end.
const ttlMs = fc.constantFrom(1_050, 5_050);
const drafts = fc.array(
  fc.record({
    tenant: fc.constantFrom('a', 'a', 'b'),
    key: fc.constantFrom(...KEYS),
    version: fc.integer({ min: 0, max: 40 }),
    deletes: fc.boolean(),
  }),
  { maxLength: 6 },
);
const partitionTarget = fc.record({ reader: fc.constantFrom(...READERS), key: fc.constantFrom(...KEYS) });
const target = fc.oneof(fc.constant('stream' as const), partitionTarget);
const takes = fc.constantFrom(true, true, false);
const by = fc.constantFrom(...OWNERS);
const limit = fc.integer({ min: 1, max: 5 });
const reader = fc.constantFrom(...READERS);
const agoMs = fc.constantFrom(-1_000, 0, 700, 2_000, 12_000);
const from = fc.oneof(fc.constantFrom('oldest' as const, 'newest' as const), fc.record({ ago: agoMs }));

/** One step of a random program; weighted so that leases are mostly held and the log is mostly not empty. */
export const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      step: fc.constant('append' as const),
      drafts,
      by: fc.option(by, { nil: undefined }),
      takes,
      fails: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('append_and_die' as const), drafts }) },
  { weight: 3, arbitrary: fc.record({ step: fc.constant('read' as const), at: partitionTarget, limit }) },
  {
    weight: 6,
    arbitrary: fc.record({
      step: fc.constant('commit' as const),
      at: partitionTarget,
      by,
      takes,
      limit,
      rejects: fc.boolean(),
      late: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ step: fc.constant('acquire' as const), at: target, by, ttlMs }) },
  {
    weight: 3,
    arbitrary: fc.record({ step: fc.constantFrom('renew' as const, 'release' as const), at: target, by, ttlMs }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constant('advance' as const), ms: fc.constantFrom(100, 700, 1_700, 9_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('step_wall' as const),
      ms: fc.constantFrom(-86_400_000, -10_000, 10_000, 86_400_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ step: fc.constant('drain' as const), by }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('dispatch' as const),
      at: partitionTarget,
      by,
      takes,
      attempts: fc.nat({ max: 5 }),
      open: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('register' as const), reader, from }) },
  { weight: 2, arbitrary: fc.record({ step: fc.constant('rewind' as const), reader, from, dryRun: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('unregister' as const), reader }) },
  {
    weight: 1,
    arbitrary: fc.record({ step: fc.constant('trim' as const), keepMs: fc.option(agoMs, { nil: undefined }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constantFrom('reopen' as const, 'crash' as const, 'compare' as const) }),
  },
);
