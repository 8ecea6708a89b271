import {
  DEAD_LETTER_LIMITS,
  deadLetterClassOf,
  PULL_STAGE,
  type DeadLetter,
  type DeadLetterDetail,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterStore,
} from '#core/dead-letter.ts';
import type { Clock } from '#core/env.ts';
import { eventOfPayload } from '#core/event.ts';
import { partitionLeaseName } from '#core/names.ts';
import type { DeadLetterModel, StoredLetter } from './dead-letter-model.ts';
import type { LeaseModel } from './log-model.ts';

export interface MemoryDeadLettersOptions {
  readonly model: DeadLetterModel;
  readonly leases: LeaseModel;
  readonly clock: Clock;
  /** Lets every `EventLog.wait` look again. */
  readonly wake: () => void;
}

export function memoryDeadLetters({ model, leases, clock, wake }: MemoryDeadLettersOptions): DeadLetterStore {
  const matching = (filter: DeadLetterFilter) => model.all.filter((letter) => matches(filter, letter));
  return {
    async list(filter, limit, beforeId = Infinity) {
      const older = matching(filter).filter(({ id }) => id < beforeId);
      return newestFirst(older).slice(0, Math.min(limit, DEAD_LETTER_LIMITS.listMax)).map(toDeadLetter);
    },
    async groups(filter) {
      const groups = Map.groupBy(newestFirst(matching(filter)), ({ tenant, connection, stage, stream, code }) =>
        JSON.stringify([tenant, connection, stage, stream, code]),
      );
      return [...groups.values()].map(toGroup).toSorted((a, b) => b.count - a.count || b.sampleId - a.sampleId);
    },
    async get(tenants, id) {
      const [letter] = matching({ tenants, ids: [id] });
      return letter && toDetail(letter);
    },
    async count(of) {
      return matching({ tenants: [of.tenant], connection: of.connection }).length;
    },
    async queue(filter) {
      const replayable = (letter: StoredLetter) => letter.state === 'dead' && letter.stage !== PULL_STAGE;
      const queued = model.change(
        (letter) => matches(filter, letter) && replayable(letter),
        () => ({ state: 'queued' }),
      );
      wake();
      return queued.length;
    },
    async queued(sink, partition, limit) {
      const theirs = model.all.filter(
        (letter) => letter.state === 'queued' && letter.stage === sink && letter.partition === partition,
      );
      return theirs
        .toSorted((a, b) => a.position - b.position || a.id - b.id)
        .slice(0, limit)
        .map(({ id, position, firstAtMs, editedPayload, payload }) => {
          const event = eventOfPayload(editedPayload ?? payload ?? '');
          return { id, entry: { position, observedAtMs: firstAtMs, event } };
        });
    },
    async settle(sink, partition, results, fence) {
      const owns = fence.lease === partitionLeaseName(sink, partition);
      if (!owns || leases.standing(fence, clock.monotonic()) !== 'valid') return 'fenced';
      for (const { id, result } of results) {
        const named = (letter: StoredLetter) =>
          letter.id === id && letter.state === 'queued' && letter.stage === sink && letter.partition === partition;
        if (result.outcome === 'written' || result.outcome === 'stale') {
          model.remove(named);
          continue;
        }
        const { code, message } = result.fault;
        model.fail(named, { atMs: clock.now(), code, message });
      }
      return 'committed';
    },
    async edit(tenants, id, payload) {
      const editedPayload = payload === undefined ? undefined : JSON.stringify(payload);
      const editable = (letter: StoredLetter) => matches({ tenants, ids: [id], state: 'dead' }, letter);
      return model.change(editable, () => ({ editedPayload, edited: payload !== undefined })).length > 0;
    },
    async discard(filter) {
      return model.remove((letter) => matches(filter, letter));
    },
    async forget(beforeMs, countMax) {
      let room: number = DEAD_LETTER_LIMITS.changeLettersMax;
      const removeOldest = (letters: readonly StoredLetter[], countToGo: number) => {
        const dead = letters.filter(({ state }) => state === 'dead');
        const oldest = dead.toSorted((a, b) => a.lastAtMs - b.lastAtMs || a.id - b.id);
        const gone = new Set(oldest.slice(0, Math.max(0, Math.min(countToGo, room))).map(({ id }) => id));
        room -= gone.size;
        return model.remove(({ id }) => gone.has(id));
      };
      let [expired, evicted] = [0, 0];
      for (const tenant of new Set(model.all.map((letter) => letter.tenant))) {
        const theirs = matching({ tenants: [tenant] });
        expired += removeOldest(
          theirs.filter(({ lastAtMs }) => lastAtMs < beforeMs),
          Infinity,
        );
        const left = matching({ tenants: [tenant] });
        evicted += removeOldest(left, left.length - countMax);
      }
      return { expired, evicted };
    },
  };
}

function matches(filter: DeadLetterFilter, letter: StoredLetter): boolean {
  const { tenants, ids, connection, stage, code, key, state } = filter;
  return (
    tenants.includes(letter.tenant) &&
    (ids === undefined || ids.includes(letter.id)) &&
    (connection === undefined || letter.connection === connection) &&
    (stage === undefined || letter.stage === stage) &&
    (code === undefined || letter.code === code) &&
    (filter.class === undefined || deadLetterClassOf(letter.code) === filter.class) &&
    (key === undefined || letter.key === key) &&
    (state === undefined || letter.state === state)
  );
}

function newestFirst(letters: readonly StoredLetter[]): StoredLetter[] {
  return letters.toSorted((a, b) => b.id - a.id);
}

function toDetail({ partition: _, position: __, ...detail }: StoredLetter): DeadLetterDetail {
  return detail;
}

function toDeadLetter(letter: StoredLetter): DeadLetter {
  const { payload: _, payloadCut: __, editedPayload: ___, history: ____, ...shown } = toDetail(letter);
  return shown;
}

/** Of letters with the same cause, newest first. */
function toGroup(letters: readonly StoredLetter[]): DeadLetterGroup {
  const [sample] = letters;
  if (sample === undefined) throw new Error('a group has a letter');
  const { tenant, connection, stage, stream, code, message, id: sampleId } = sample;
  return {
    ...{ tenant, connection, stage, stream, code, message, sampleId },
    count: letters.length,
    queued: letters.filter(({ state }) => state === 'queued').length,
    firstAtMs: Math.min(...letters.map(({ firstAtMs }) => firstAtMs)),
    lastAtMs: Math.max(...letters.map(({ lastAtMs }) => lastAtMs)),
  };
}
