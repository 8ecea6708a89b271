import { afterEach, describe, expect, test } from 'vitest';
import { AUDITED_MEMBERS, type AuditEntry } from './audit.ts';
import { silenceAlerts } from './alerts.ts';
import { discardDeadLetters } from './discard-dead-letters.ts';
import { editDeadLetter } from './edit-dead-letter.ts';
import { draft, openWeir } from './fixtures/open-weir.ts';
import { scriptedSink } from './fixtures/scripted-sink.ts';
import { listDeadLetters } from './list-dead-letters.ts';
import { OPERATIONS } from './registry.ts';
import { replayDeadLetters } from './replay-dead-letters.ts';
import { runConnector } from './run-connector.ts';
import { showDeadLetter } from './show-dead-letter.ts';
import { rereadSink } from './sinks.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

async function audited() {
  const weir = openWeir({ sinks: [scriptedSink('crm').binding] });
  undo.push(weir.close);
  weir.source.pages = [{ events: [draft('p1', { title: 'poison', data: { account: 'confidential' } })] }];
  await weir.ask(runConnector, { name: 'wiki' });
  const entries: AuditEntry[] = [];
  const seen = { audit: (entry: AuditEntry) => void entries.push(entry), actor: { name: 'ada', role: 'Operator' } };
  const ask: typeof weir.ask = (operation, input, change) => weir.ask(operation, input, { ...seen, ...change });
  return { ...weir, ask, entries };
}

describe('a change is audited', () => {
  test('once, with who did what to which, and how many it was', async () => {
    const { ask, entries, clock } = await audited();
    await ask(replayDeadLetters, { sink: 'crm', code: 'sink_rejected' });
    expect(entries).toEqual([
      {
        operation: 'dlq.replay',
        actor: { name: 'ada', role: 'Operator' },
        tenants: ['default'],
        target: { all: false, sink: 'crm', code: 'sink_rejected' },
        outcome: 'ok',
        counts: { matched: 1, queued: 1, already_queued: 0, not_replayable: 0 },
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    ]);
    expect(Date.parse(entries[0]?.at ?? '')).toBeLessThanOrEqual(clock.now());
  });

  test('when it is refused, with the code, also when the input was not understood', async () => {
    const { ask, entries } = await audited();
    await expect(ask(discardDeadLetters, { ids: [999] })).rejects.toThrow();
    await expect(ask(discardDeadLetters, { secret: 'hunter2' })).rejects.toThrow();
    expect(entries).toMatchObject([
      { outcome: 'refused', code: 'not_found', target: { ids: [999] }, counts: {} },
      { outcome: 'refused', code: 'input_invalid', target: {}, counts: {} },
    ]);
    expect(JSON.stringify(entries)).not.toContain('hunter2');
  });

  test('when it failed, as failed', async () => {
    const { ask, entries, store } = await (async () => {
      const parts = await audited();
      const broken = { ...parts.storage.store.deadLetters };
      return {
        ...parts,
        store: { ...parts.storage.store, deadLetters: { ...broken, groups: () => Promise.reject(new Error('disk')) } },
      };
    })();
    // Only what the operation calls is there: a whole store would be another test.
    const change = { store } as never;
    await expect(ask(replayDeadLetters, { all: true }, change)).rejects.toThrow('disk');
    expect(entries).toMatchObject([{ outcome: 'failed', code: 'internal' }]);
  });
});

test('an edit is audited without what was edited', async () => {
  const { ask, entries } = await audited();
  const [letter] = (await ask(listDeadLetters)).items;
  const id = letter?.id ?? 0;
  const { payload } = await ask(showDeadLetter, { id });
  await ask(editDeadLetter, { id, payload });
  expect(entries).toMatchObject([{ operation: 'dlq.edit', outcome: 'ok', target: { id } }]);
  expect(JSON.stringify(entries)).not.toMatch(/confidential|poison/);
});

test('looking and dry runs are not audited', async () => {
  const { ask, entries } = await audited();
  await ask(listDeadLetters);
  await ask(replayDeadLetters, { all: true, dry_run: true });
  await ask(rereadSink, { name: 'crm', from: 'oldest', dry_run: true });
  expect(entries).toEqual([]);
  await ask(silenceAlerts, { reason: 'a reason is for people', rule: 'error_rate' });
  expect(entries).toMatchObject([{ operation: 'alerts.silence', target: { rule: 'error_rate' } }]);
});

test('every operation that changes something names what it changed', () => {
  for (const { name, changes, input } of OPERATIONS)
    if (changes)
      expect([name, Object.keys(input.shape).some((member) => AUDITED_MEMBERS.some((one) => one === member))]).toEqual([
        name,
        true,
      ]);
});
