import type { DeadLetterDetail } from '#core/dead-letter.ts';
import { PULL_STAGE } from '#core/dead-letter.ts';
import { deadLettersOf } from './stored-letters.ts';
import type { Event } from '#core/event.ts';
import { eventOfPayload } from '#core/event.ts';
import type { Store } from '#core/store.ts';
import type { SimulatedDisk } from './disk.ts';
import { pageKey, type History } from './history.ts';
import { entityOf } from './receiver.ts';
import type { SinkModel } from './sink-models.ts';

const ATTEMPTS_MAX = 5;

export interface Evidence {
  readonly history: History;
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly tenants: readonly string[];
  readonly sinks: readonly SinkModel[];
  readonly secret: string;
  /** How often the process died. */
  readonly deaths: number;
  /** True when the log was drained, so that sinks must be equal and not only consistent. */
  readonly drained: boolean;
}

interface Expected {
  readonly version: number;
  readonly deleted: boolean;
  readonly id: string;
}

/** Compares what was acknowledged with what is held: on the disk, and by the receivers. What it finds goes to the history. */
export async function checkHistory(evidence: Evidence): Promise<void> {
  const { history, disk } = evidence;
  for (const row of disk.rows('SELECT part, n, payload FROM log'))
    history.read(Number(row['part']), [
      { position: Number(row['n']), observedAtMs: 0, event: eventOfPayload(String(row['payload'])) },
    ]);
  checkNothingLost(evidence);
  checkTimeline(evidence);
  checkLibrary(evidence);
  for (const sink of evidence.sinks) checkSink(evidence, sink);
  const letters = await deadLettersOf(evidence.store.deadLetters, evidence.tenants);
  checkDeadLetters(evidence, letters);
  checkCursors(evidence);
  checkSecrets(evidence, letters);
  await checkTenants(evidence);
}

/** I9: through the queries people use. Every text names its tenant, so that a word of another one finds nothing. */
async function checkTenants({ history, store, tenants }: Evidence): Promise<void> {
  for (const tenant of tenants) {
    const { rows } = await store.timeline.query({ tenants: [tenant], limit: 1000 });
    for (const { event } of rows)
      if (event.tenant !== tenant)
        history.violate('tenants', `the timeline shows ${tenant} the event ${event.id} of ${event.tenant}`);
    for (const other of tenants.filter((one) => one !== tenant)) {
      const { total } = await store.library.search({ tenants: [tenant], words: `of${other}`, limit: 1 });
      if (total > 0) history.violate('tenants', `${tenant} finds ${total} documents of ${other}`);
    }
  }
}

function checkNothingLost({ history, disk, sinks }: Evidence): void {
  const kept = new Set(disk.rows('SELECT part, n FROM log').map((row) => `${String(row['part'])}/${String(row['n'])}`));
  const readers = ['timeline', 'library', ...sinks.map(({ name }) => name)];
  const positions = new Map(
    disk
      .rows('SELECT reader, part, n FROM position')
      .map((row) => [`${String(row['reader'])}/${String(row['part'])}`, Number(row['n'])]),
  );
  for (const id of history.acknowledged) {
    const place = history.places.get(id);
    if (place === undefined) {
      history.violate('nothing is lost', `${id} was acknowledged and is nowhere`);
      continue;
    }
    for (const reader of readers) {
      const settled = (positions.get(`${reader}/${place.partition}`) ?? 0) >= place.position;
      if (!settled && !kept.has(`${place.partition}/${place.position}`))
        history.violate('nothing is lost', `${id} left the log before ${reader} had it`);
    }
  }
}

/** The highest version of each entity among what a reader has settled and not given up. */
function expectedOf(
  { history, disk }: Evidence,
  reader: string,
  takes: (event: Event) => boolean,
): Map<string, Expected> {
  const positions = new Map(
    disk
      .rows(`SELECT part, n FROM position WHERE reader = '${reader}'`)
      .map((row) => [Number(row['part']), Number(row['n'])]),
  );
  const expected = new Map<string, Expected>();
  for (const [id, { partition, position }] of history.places) {
    const event = history.offered.get(id)?.event;
    if (
      event === undefined ||
      position > (positions.get(partition) ?? 0) ||
      history.isDead(reader, id) ||
      !takes(event)
    )
      continue;
    const entity = entityOf(event);
    if ((expected.get(entity)?.version ?? -1) < event.version)
      expected.set(entity, { version: event.version, deleted: event.op === 'delete', id });
  }
  return expected;
}

function checkTimeline({ history, disk }: Evidence): void {
  const rows = disk.rows('SELECT tenant, event_id, payload FROM timeline');
  const held = new Set(rows.map((row) => String(row['event_id'])));
  const positions = new Map(
    disk
      .rows(`SELECT part, n FROM position WHERE reader = 'timeline'`)
      .map((row) => [Number(row['part']), Number(row['n'])]),
  );
  for (const row of rows) {
    const offered = history.offered.get(String(row['event_id']));
    if (offered === undefined) history.violate('phantom', `the timeline holds ${String(row['event_id'])}`);
    else if (offered.event.tenant !== row['tenant'])
      history.violate('tenants', `the timeline shows ${offered.event.id} to ${String(row['tenant'])}`);
  }
  if (held.size !== rows.length) history.violate('one effect per event', 'the timeline holds an event twice');
  for (const [id, { partition, position }] of history.places) {
    const settled = position <= (positions.get(partition) ?? 0);
    if (settled !== held.has(id))
      history.violate(
        settled ? 'nothing is lost' : 'exactly once',
        `the timeline ${settled ? 'passed' : 'is ahead with'} ${id}`,
      );
  }
}

function checkLibrary(evidence: Evidence): void {
  const { history, disk } = evidence;
  const expected = expectedOf(evidence, 'library', ({ kind }) => kind === 'document');
  const rows = disk.rows('SELECT tenant, connection, stream, key, version, deleted, text FROM doc');
  for (const row of rows) {
    const entity = [row['tenant'], row['connection'], row['stream'], row['key']].join('/');
    const want = expected.get(entity);
    expected.delete(entity);
    if (want?.version !== row['version'] || want?.deleted !== (row['deleted'] === 1))
      history.violate(
        'highest version',
        `the library holds version ${String(row['version'])} of ${entity}, not ${want?.version ?? 'none'}`,
      );
    if (row['deleted'] === 1 && row['text'] !== '')
      history.violate('tombstones', `the library still knows the text of ${entity}`);
    if (row['deleted'] === 0 && !String(row['text']).endsWith(`of${String(row['tenant'])}`))
      history.violate('tenants', `the library shows ${String(row['tenant'])} a text of somebody else: ${entity}`);
  }
  for (const [entity, { version }] of expected)
    history.violate('nothing is lost', `the library lacks ${entity} ${version}`);
}

function checkSink(evidence: Evidence, sink: SinkModel): void {
  const { history, drained } = evidence;
  const expected = expectedOf(evidence, sink.name, () => true);
  for (const [entity, want] of expected) {
    const row = sink.store.held().get(entity);
    if (row === undefined || row.version < want.version)
      history.violate(
        'nothing is lost',
        `${sink.name} holds version ${row?.version ?? 'none'} of ${entity}, not ${want.version}`,
      );
    else if (row.version === want.version && row.deleted !== want.deleted)
      history.violate('tombstones', `${sink.name} takes ${entity} for ${row.deleted ? 'deleted' : 'alive'}`);
    else if (drained && row.version !== want.version)
      history.violate('sinks are equal', `${sink.name} holds version ${row.version} of ${entity}, not ${want.version}`);
  }
}

function checkDeadLetters({ history, sinks, deaths }: Evidence, letters: readonly DeadLetterDetail[]): void {
  const stored = new Set(letters.map(({ stage, eventId }) => `${stage} ${eventId ?? ''}`));
  for (const { stage, eventId = '', code, attempts } of letters) {
    if (stage === PULL_STAGE) {
      if (code !== 'record_invalid') history.violate('dead letters', `a record was given up for ${code}`);
      continue;
    }
    if (attempts > ATTEMPTS_MAX) history.violate('attempts', `${stage} tried ${eventId} ${attempts} times`);
    const poison = sinks.find(({ name }) => name === stage)?.isPoison(eventId) === true;
    const killed = code === 'dispatch_unfinished' && deaths >= ATTEMPTS_MAX;
    if (!poison && !killed)
      history.violate('dead letters', `${stage} gave up ${eventId} for ${code}, and nothing is wrong with it`);
  }
  for (const [sink, ids] of history.dead)
    for (const id of ids)
      if (!stored.has(`${sink} ${id}`))
        history.violate('nothing is lost', `the dead letter of ${id} at ${sink} is not kept`);
}

/** I2: a durable cursor covers only what is in the log. Judged after every death too: a later pull may repair what was lost. */
export function checkCursors({ history, disk }: Pick<Evidence, 'history' | 'disk'>): void {
  const seen = new Set(disk.rows('SELECT event_id FROM seen').map((row) => String(row['event_id'])));
  for (const row of disk.rows('SELECT tenant, connection, stream, cursor FROM stream WHERE cursor IS NOT NULL')) {
    const of = { tenant: String(row['tenant']), connection: String(row['connection']), stream: String(row['stream']) };
    for (const id of history.pages.get(pageKey(of, String(row['cursor']))) ?? [])
      if (!seen.has(id))
        history.violate('cursor', `the cursor of ${of.tenant}/${of.connection} covers ${id}, which is not in the log`);
  }
}

function checkSecrets({ history, disk, secret }: Evidence, letters: readonly DeadLetterDetail[]): void {
  const places: readonly (readonly [string, readonly unknown[]])[] = [
    ['a log line', history.outputs],
    ['a run', disk.rows('SELECT message FROM run').map((row) => row['message'])],
    ['a recorded call', disk.rows('SELECT message FROM call_failure').map((row) => row['message'])],
    ['a dead letter', letters.map((letter) => JSON.stringify(letter))],
    ['an event', disk.rows('SELECT payload FROM timeline').map((row) => row['payload'])],
  ];
  for (const [place, texts] of places)
    for (const text of texts)
      if (typeof text === 'string' && text.includes(secret))
        history.violate('secrets', `${place} shows the credential: ${text}`);
}
