// P13: for any program of appends, reads, commits, dispatches, lease moves, moves of readers, passing time, trims, restarts and
// process deaths an engine answers what the model answers. Where the contract leaves a choice the model takes over the engine's answer.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Checkpoint, DeadLetterDraft, LogEntry, ReadFrom } from '#core/event-log.ts';
import type { Fence } from '#core/leases.ts';
import { partitionLeaseName, streamLeaseName } from '#core/names.ts';
import { PARTITIONS, partitionOf } from '#core/partition.ts';
import type { SealedEvent } from '#core/event.ts';
import { type OpenHarness, PROPERTY_TIMEOUT_MS, runsOf, type StorageSession, withStorage } from './engine-harness.ts';
import { idsOf, sample, SAMPLE_STREAM } from './event-samples.ts';
import { LeaseModel, LogModel } from './log-model.ts';
import {
  type Draft,
  type From,
  KEYS,
  type Owner,
  type Reader,
  READERS,
  type Step,
  stepArbitrary,
  type Target,
} from './log-program.ts';

const ALL_ROWS = 512;
const TAKEN_MS = 5_050; // an odd multiple of 50: see log-program.ts

export function logRefinementSuite(openHarness: OpenHarness): void {
  describe('the model (P13)', () => {
    it('answers every program as the engine does', { timeout: PROPERTY_TIMEOUT_MS }, async () => {
      const program = fc.array(stepArbitrary, { minLength: 5, maxLength: 60, size: 'max' });
      const property = fc.asyncProperty(program, (steps) =>
        withStorage(openHarness, (session) => runProgram(session, steps)),
      );
      await fc.assert(property, runsOf('heavy'));
    });
  });
}

async function runProgram(session: StorageSession, steps: readonly Step[]): Promise<void> {
  const world = new World(session);
  for (const reader of ['r1', 'r2'] as const) await world.register(reader, 'oldest');
  for (const step of steps) await world.run(step);
  await world.compare();
}

function leaseOf(session: StorageSession, at: Target): string {
  if (at === 'stream') return streamLeaseName(SAMPLE_STREAM);
  return partitionLeaseName(at.reader, partitionOf(session.harness.partitionSecret, SAMPLE_STREAM.tenant, at.key));
}

/** Keys of tenant b that lie in the partitions of a's. */
const foreignKeys = new Map<string, string>();
function foreignKey(secret: string, key: string): string {
  const partition = partitionOf(secret, SAMPLE_STREAM.tenant, key);
  const known = foreignKeys.get(`${secret} ${key}`);
  let found = known ?? key;
  for (let at = 0; partitionOf(secret, 'b', found) !== partition; at += 1) found = `${key}-${at}`;
  foreignKeys.set(`${secret} ${key}`, found);
  return found;
}

function sealAll(secret: string, of: readonly Draft[]): SealedEvent[] {
  return of.map(({ tenant, key, version, deletes }) => {
    const draft = { version, op: deletes ? 'delete' : 'upsert' } as const;
    if (tenant === 'a') return sample({ ...draft, key });
    return sample({ ...draft, of: { ...SAMPLE_STREAM, tenant }, key: foreignKey(secret, key) });
  });
}

/** The engine and the model side by side. */
class World {
  readonly #session: StorageSession;
  readonly #log: LogModel;
  readonly #leases = new LeaseModel();
  /** The newest fence each owner was given for a lease, lost or not: what a zombie would write with. */
  readonly #fences = new Map<string, Fence>();
  /** What was read first of a reader's partition: a late commit goes back to it. */
  readonly #firstReads = new Map<string, { readonly position: number; readonly modelPosition: number }>();
  /** The engine's position of the entry at a position of the model. */
  readonly #places = new Map<number, number>();
  #cursor = 0;

  constructor(session: StorageSession) {
    this.#session = session;
    this.#log = new LogModel(session.harness.partitionSecret);
  }

  async run(step: Step): Promise<void> {
    const { clock } = this.#session;
    switch (step.step) {
      case 'append':
        return this.#append(step);
      case 'append_and_die':
        return this.#appendAndDie(step.drafts);
      case 'read':
        return void (await this.#read(step.at, step.limit));
      case 'commit':
        if (step.takes) await this.#acquire(leaseOf(this.#session, step.at), step.by, TAKEN_MS);
        return this.#commit(step);
      case 'drain':
        return this.#drain(step.by);
      case 'acquire':
        return this.#acquire(leaseOf(this.#session, step.at), step.by, step.ttlMs);
      case 'renew':
        return this.#renew(leaseOf(this.#session, step.at), step.by, step.ttlMs);
      case 'release':
        return this.#release(leaseOf(this.#session, step.at), step.by);
      case 'advance':
        return clock.advance(step.ms);
      case 'step_wall':
        return clock.stepWall(step.ms);
      case 'dispatch':
        if (step.takes) await this.#acquire(leaseOf(this.#session, step.at), step.by, TAKEN_MS);
        return this.#dispatch(step);
      case 'register':
        return this.register(step.reader, step.from);
      case 'rewind':
        return this.#rewind(step);
      case 'unregister':
        if (this.#log.readers.includes(step.reader)) this.#endLeases(step.reader);
        return expect(await this.#session.log.unregister(step.reader)).toBe(this.#log.unregister(step.reader));
      case 'trim':
        return this.#trim(step.keepMs === undefined ? undefined : clock.now() - step.keepMs);
      case 'reopen':
      case 'crash':
        this.#leases.restart();
        return step.step === 'crash' ? this.#session.crash() : this.#session.reopen();
      case 'compare':
        return this.compare();
    }
  }

  async register(reader: Reader, from: From): Promise<void> {
    const at = this.#timeOf(from);
    await this.#session.log.register(reader, at);
    this.#log.register(reader, at);
  }

  async #rewind({ reader, from, dryRun }: Extract<Step, { step: 'rewind' }>): Promise<void> {
    const moving = this.#session.log.rewind(reader, this.#timeOf(from), { dryRun });
    if (!this.#log.readers.includes(reader)) return expect(moving).rejects.toMatchObject({ code: 'not_found' });
    if (!dryRun) this.#endLeases(reader);
    expect(await moving).toBe(this.#log.rewind(reader, this.#timeOf(from), dryRun));
  }

  #timeOf(from: From): ReadFrom {
    return typeof from === 'string' ? from : { sinceMs: this.#session.clock.now() - from.ago };
  }

  #endLeases(reader: Reader): void {
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      this.#leases.revoke(partitionLeaseName(reader, partition));
  }

  async compare(): Promise<void> {
    const { log, store } = this.#session;
    for (const reader of READERS) {
      for (const key of KEYS) {
        await this.#read({ reader, key }, ALL_ROWS);
        await this.#compareDispatch({ reader, key });
      }
    }
    const [stats, expected] = [await log.stats(), this.#log.stats()];
    expect([stats.size, stats.bytes, stats.oldestAtMs]).toEqual([expected.size, expected.bytes, expected.oldestAtMs]);
    expect(new Map(stats.readers.map((of) => [of.reader, of]))).toEqual(
      new Map(expected.readers.map((of) => [of.reader, of])),
    );
    expect(new Map(stats.tenants.map((of) => [of.tenant, of]))).toEqual(
      new Map(expected.tenants.map((of) => [of.tenant, of])),
    );
    expect(idsOf(await log.peek(['a', 'b'], ALL_ROWS)).toSorted()).toEqual(
      idsOf(this.#log.unsettled().map((entry) => ({ ...entry, payload: '' }))).toSorted(),
    );
    const state = await store.streams.get(SAMPLE_STREAM);
    expect(state?.cursor).toEqual(this.#log.stateOf(SAMPLE_STREAM).cursor);
    const letters = await store.deadLetters.list({ tenants: ['a', 'b'] }, ALL_ROWS);
    const shown = (rows: typeof letters) =>
      rows.map(({ stage, key, message }) => `${stage} ${key} ${message}`).toSorted();
    expect(shown(letters)).toEqual(shown(this.#log.deadLetters.all));
    const live = [...this.#log.entities.values()]
      .filter(({ of, deleted }) => of.tenant === SAMPLE_STREAM.tenant && !deleted)
      .map(({ key, version }) => ({ key, version }));
    expect(await store.entities.live(SAMPLE_STREAM, undefined, ALL_ROWS)).toEqual(
      live.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    );
  }

  async #append({ drafts, by: owner, takes, fails }: Extract<Step, { step: 'append' }>): Promise<void> {
    const { clock, log } = this.#session;
    const events = this.#seal(drafts);
    if (owner !== undefined && takes) await this.#acquire(leaseOf(this.#session, 'stream'), owner, TAKEN_MS);
    const fence = owner === undefined ? undefined : this.#fences.get(`${owner} ${leaseOf(this.#session, 'stream')}`);
    if (fence === undefined) {
      expect(await log.append({ events })).toEqual(this.#log.append({ events }, clock.now()));
      return;
    }
    this.#cursor += 1;
    const checkpoint: Checkpoint = {
      stream: SAMPLE_STREAM,
      connectorVersion: '1.0.0',
      cursor: { page: this.#cursor },
      fence,
    };
    const failures = fails
      ? [{ key: `raw-${this.#cursor}`, code: 'record_invalid' as const, message: 'unreadable' }]
      : [];
    const batch = { events, failures, checkpoint };
    const outcome = await log.append(batch).catch((thrown: { readonly code?: unknown }) => thrown.code);
    if (this.#mayWrite(fence, outcome === 'fenced')) expect(outcome).toEqual(this.#log.append(batch, clock.now()));
    else expect(outcome).toBe('fenced');
  }

  #seal(of: readonly Draft[]): SealedEvent[] {
    return sealAll(this.#session.harness.partitionSecret, of);
  }

  /** The answer is never heard; sending the same ids again must find all of them or none (I12). */
  async #appendAndDie(of: readonly Draft[]): Promise<void> {
    const events = this.#seal(of);
    this.#session.log.append({ events }).catch(() => undefined);
    this.#leases.restart();
    await this.#session.crash();
    const again = await this.#session.log.append({ events });
    const { accepted } = this.#log.append({ events }, this.#session.clock.now());
    expect([0, accepted]).toContain(again.accepted);
    expect(again.accepted + again.duplicates).toBe(events.length);
  }

  async #read(
    { reader, key }: Exclude<Target, 'stream'>,
    rows: number,
  ): Promise<{ entries: readonly LogEntry[]; modelPosition: number }> {
    const partition = this.#partitionOf(key);
    const entries = await this.#session.log.read(reader, partition, rows);
    const expected = this.#log.read(reader, partition, rows);
    expect(entries.map(({ event }) => event)).toEqual(expected.map(({ event }) => event));
    for (const [at, entry] of entries.entries())
      expect(entry.position).toBeGreaterThan(entries[at - 1]?.position ?? -1);
    for (const [at, entry] of entries.entries()) this.#places.set(expected[at]?.position ?? 0, entry.position);
    return { entries, modelPosition: expected.at(-1)?.position ?? 0 };
  }

  #partitionOf(key: string): number {
    return partitionOf(this.#session.harness.partitionSecret, SAMPLE_STREAM.tenant, key);
  }

  /** Of the oldest unsettled entry, as a delivery loop would. */
  async #dispatch({ at, by: owner, attempts, open }: Extract<Step, { step: 'dispatch' }>): Promise<void> {
    const fence = this.#fences.get(`${owner} ${leaseOf(this.#session, at)}`);
    const { entries, modelPosition } = await this.#read(at, 1);
    const [first] = entries;
    if (fence === undefined || first === undefined) return;
    const dispatch = { position: first.position, events: 1, attempts, open };
    const partition = this.#partitionOf(at.key);
    const outcome = await this.#session.log.dispatch(at.reader, partition, dispatch, fence);
    if (!this.#mayWrite(fence, outcome === 'fenced')) return expect(outcome).toBe('fenced');
    expect(outcome).toBe('recorded');
    this.#log.dispatch(at.reader, partition, { ...dispatch, position: modelPosition });
  }

  async #compareDispatch({ reader, key }: Exclude<Target, 'stream'>): Promise<void> {
    const expected = this.#log.dispatched(reader, this.#partitionOf(key));
    expect(await this.#session.log.dispatched(reader, this.#partitionOf(key))).toEqual(
      expected && { ...expected, position: this.#places.get(expected.position) },
    );
  }

  async #drain(owner: Owner): Promise<void> {
    for (const reader of READERS) {
      for (const key of KEYS) {
        const at = { reader, key };
        await this.#acquire(leaseOf(this.#session, at), owner, TAKEN_MS);
        await this.#commit({
          step: 'commit',
          at,
          by: owner,
          takes: true,
          limit: ALL_ROWS,
          rejects: false,
          late: false,
        });
      }
    }
  }

  async #commit({ at, by: owner, limit: rows, rejects, late }: Extract<Step, { step: 'commit' }>): Promise<void> {
    const lease = leaseOf(this.#session, at);
    const fence = this.#fences.get(`${owner} ${lease}`);
    const { entries, modelPosition } = await this.#read(at, rows);
    const [first] = entries;
    const position = entries.at(-1)?.position;
    if (fence === undefined || first === undefined || position === undefined) return;
    const read = this.#firstReads.get(lease) ?? { position, modelPosition };
    this.#firstReads.set(lease, read);
    const settled = late ? read : { position, modelPosition };
    const letters: DeadLetterDraft[] =
      rejects && !late ? [{ entry: first, code: 'record_invalid', message: 'rejected', attempts: 1 }] : [];
    const partition = this.#partitionOf(at.key);
    const commit = this.#session.log.commit(at.reader, partition, settled.position, fence, letters);
    // An engine may refuse to go back by a throw; only `fenced` would be a lie to an owner.
    const outcome = late ? await commit.catch(() => 'committed' as const) : await commit;
    if (!this.#mayWrite(fence, outcome === 'fenced')) return expect(outcome).toBe('fenced');
    expect(outcome).toBe('committed');
    this.#log.commit(at.reader, partition, settled.modelPosition, letters, this.#session.clock.now());
  }

  async #acquire(lease: string, owner: Owner, forMs: number): Promise<void> {
    const { clock, leases } = this.#session;
    const availability = this.#leases.availability(lease, clock.monotonic());
    const fence = await leases.acquire(lease, owner, forMs);
    if (availability === 'taken') expect(fence).toBeUndefined();
    if (availability === 'free') expect(fence).toBeDefined();
    if (fence === undefined) return;
    expect(fence.lease).toBe(lease);
    expect(fence.token).toBeGreaterThan(this.#leases.newestToken(lease));
    this.#leases.grant(fence, owner, clock.monotonic() + forMs);
    this.#fences.set(`${owner} ${lease}`, fence);
  }

  async #renew(lease: string, owner: Owner, forMs: number): Promise<void> {
    const fence = this.#fences.get(`${owner} ${lease}`);
    if (fence === undefined) return;
    const renewed = await this.#session.leases.renew(fence, forMs);
    expect(renewed).toBe(this.#mayWrite(fence, !renewed));
    if (renewed) this.#leases.extend(fence, this.#session.clock.monotonic() + forMs);
  }

  async #release(lease: string, owner: Owner): Promise<void> {
    const fence = this.#fences.get(`${owner} ${lease}`);
    if (fence === undefined) return;
    await this.#session.leases.release(fence);
    this.#leases.release(fence);
  }

  async #trim(beforeMs: number | undefined): Promise<void> {
    let trimmed = 0;
    for (let count = -1; count !== 0; trimmed += count) count = await this.#session.log.trim(beforeMs);
    let expected = 0;
    for (let count = -1; count !== 0; expected += count) count = this.#log.trim(ALL_ROWS, beforeMs);
    expect(trimmed).toBe(expected);
  }

  /** Whether a write under this fence must take effect; of a lapsed one the engine's own answer decides. */
  #mayWrite(fence: Fence, refused: boolean): boolean {
    const standing = this.#leases.standing(fence, this.#session.clock.monotonic());
    return standing === 'valid' || (standing === 'lapsed' && !refused);
  }
}
