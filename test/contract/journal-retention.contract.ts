import type { TestFn } from 'ava';
import type { CursorVerdict } from '../../src/contract/journal.ts';
import { type EventId, formatEventId, type JournalTag, nilId } from '../../src/core/event-id.ts';
import { toSequence } from '../../src/core/sequence.ts';
import {
  append,
  appendEvents,
  changeEntry,
  dayMs,
  eventEntry,
  executionOf,
  hourMs,
  recordsAfter,
  sequencesOf,
  startMs,
  sweepAll,
} from '../support/journal-input.ts';
import type { OpenUnderTest } from './event-journal.contract.ts';

/** What an EventJournal forgets, and where it says that a cursor stands. */
export function journalRetentionContract(test: TestFn, engine: string, open: OpenUnderTest): void {
  test(`${engine}: events go by age, and the oldest position is told`, async (t) => {
    const { journal, clock } = await open(t, { retentionAgeMs: 2 * dayMs });
    const [, , third] = await appendEvents(journal, 3);
    for (let day = 0; day < 3; day += 1) {
      clock.pass(20 * hourMs);
      await sweepAll(journal);
    }
    const [fourth] = await appendEvents(journal, 1, 2);
    t.like(journal.describe(), {
      oldestSequence: toSequence(4),
      oldestId: fourth as EventId,
      newestSequence: toSequence(4),
      horizonSequence: toSequence(3),
      horizonId: third as EventId,
    });
    t.deepEqual(sequencesOf(await recordsAfter(journal, 3)), [4]);
    t.deepEqual(await recordsAfter(journal, 3, [1]), []);
    t.is(journal.execution(executionOf(1))?.events, 3);
    const read = { until: toSequence(9), executionIds: null, eventsOnly: false, limitBytes: 1, limitRecords: 1 };
    const trimmed = await journal.read({ ...read, after: toSequence(2) }, () => undefined);
    t.deepEqual(trimmed, { kind: 'trimmed', oldest: toSequence(4) });
  });

  test(`${engine}: events go by bytes, over a restart too`, async (t) => {
    const first = await open(t);
    await append(first.journal, ...Array.from({ length: 10 }, () => eventEntry(1)));
    const each = first.journal.describe().retainedBytes / 10;
    const { journal } = await first.reopen({ retentionBytes: each * 4 });
    await sweepAll(journal);
    t.like(journal.describe(), { oldestSequence: toSequence(7), retainedBytes: each * 4 });
    t.deepEqual(sequencesOf(await recordsAfter(journal, 6)), [7, 8, 9, 10]);
  });

  // Without this, the ids of a journal whose records have all gone would start again.
  test(`${engine}: a journal that forgot everything goes on where it was`, async (t) => {
    const first = await open(t, { retentionAgeMs: hourMs });
    const ids = await appendEvents(first.journal, 3);
    first.clock.pass(20 * hourMs);
    await sweepAll(first.journal);
    t.like(first.journal.describe(), { oldestSequence: toSequence(0), oldestId: '', newestSequence: toSequence(3) });
    const { journal } = await first.reopen();
    t.is(journal.describe().newestId, ids[2] as EventId);
    t.like(await journal.place(ids[2] ?? ''), { verdict: 'placed', sequence: toSequence(3) });
    t.like(await append(journal, eventEntry(1)), { lastSequence: toSequence(4) });
  });

  // Without this, a clock set a month ahead would empty the journal in one sweep.
  test(`${engine}: a clock that steps ahead is an alarm and takes nothing away`, async (t) => {
    const { journal, clock } = await open(t, { retentionAgeMs: 7 * dayMs });
    await appendEvents(journal, 2);
    clock.step(30 * dayMs);
    await sweepAll(journal);
    t.true(journal.stats().clockAlarm);
    t.is(journal.stats().records, 2);
    clock.step(-30 * dayMs);
    clock.pass(hourMs);
    await sweepAll(journal);
    t.false(journal.stats().clockAlarm);
    t.is(journal.stats().records, 2);
  });

  test(`${engine}: a bus that was off for long trims its backlog at twice real time`, async (t) => {
    const first = await open(t, { retentionAgeMs: 7 * dayMs });
    await appendEvents(first.journal, 2);
    first.clock.step(30 * dayMs);
    const { journal, clock } = await first.reopen();
    await sweepAll(journal);
    t.is(journal.stats().records, 2);
    for (let day = 0; day < 4; day += 1) {
      clock.pass(dayMs);
      await sweepAll(journal);
    }
    t.is(journal.stats().records, 0);
  });

  test(`${engine}: executions are forgotten after their time, and it is said`, async (t) => {
    const first = await open(t, { executionAgeMs: 2 * dayMs, retentionAgeMs: dayMs });
    await append(first.journal, changeEntry(1, 'completed', ['x']));
    first.clock.pass(23 * hourMs);
    await append(first.journal, changeEntry(2, 'running'));
    const { journal, clock } = await first.reopen();
    const forgotten: string[] = [];
    journal.onExecutions((change) => forgotten.push(...change.forgotten));
    for (let step = 0; step < 2; step += 1) {
      clock.pass(20 * hourMs);
      await sweepAll(journal);
    }
    t.deepEqual(forgotten, [executionOf(1)]);
    t.deepEqual(
      journal.executions().facts.map(({ executionId }) => executionId),
      [executionOf(2)],
    );
  });

  // Without this, an execution whose events are still read would be unknown.
  test(`${engine}: an execution whose records are kept is not forgotten by age`, async (t) => {
    const { journal, clock } = await open(t, { executionAgeMs: hourMs, retentionAgeMs: 7 * dayMs });
    await appendEvents(journal, 1);
    clock.pass(20 * hourMs);
    await sweepAll(journal);
    t.is(journal.stats().executions, 1);
  });

  test(`${engine}: too many executions: the terminal ones go first, then those longest not named`, async (t) => {
    const first = await open(t, { executionsMax: 3 });
    await append(first.journal, changeEntry(1, 'running'));
    await append(first.journal, changeEntry(2, 'running'));
    await append(first.journal, changeEntry(3, 'completed'));
    const forgotten: string[] = [];
    first.journal.onExecutions((change) => forgotten.push(...change.forgotten));
    await append(first.journal, changeEntry(4, 'running'));
    await append(first.journal, eventEntry(1));
    await append(first.journal, eventEntry(5));
    t.deepEqual(forgotten, [executionOf(3), executionOf(2)]);
    const { journal } = await first.reopen();
    const known = journal.executions().facts.map(({ executionId }) => executionId);
    t.deepEqual(known.sort(), [1, 4, 5].map(executionOf));
  });

  test(`${engine}: an empty journal places what stands at its origin`, async (t) => {
    const { journal } = await open(t);
    const { originId, tag } = journal.describe();
    const verdict = async (cursor: string): Promise<[CursorVerdict, number]> => {
      const { verdict: said, sequence } = await journal.place(cursor);
      return [said, sequence];
    };
    t.deepEqual(await verdict(nilId), ['placed', 0]);
    t.deepEqual(await verdict(originId), ['placed', 0]);
    t.deepEqual(await verdict(formatEventId(startMs, toSequence(1), tag)), ['unknown-position', 0]);
    t.deepEqual(await verdict('nonsense'), ['malformed', 0]);
    t.deepEqual(await verdict('6ba7b810-9dad-41d1-80b4-00c04fd430c8'), ['malformed', 0]);
  });

  test(`${engine}: a cursor is placed by its tag, its record, or by comparison`, async (t) => {
    const { journal, clock } = await open(t);
    const ids = await appendEvents(journal, 2);
    clock.pass(1000);
    ids.push(...(await appendEvents(journal, 2)));
    const { tag, originId } = journal.describe();
    const foreign = ((tag + 1) % 2 ** 22) as JournalTag;
    const at = async (cursor: string): Promise<[CursorVerdict, number, string]> => {
      const { verdict, sequence, id } = await journal.place(cursor);
      return [verdict, sequence, id];
    };
    for (const [index, id] of ids.entries()) t.deepEqual(await at(id), ['placed', index + 1, id]);
    t.deepEqual(await at((ids[1] ?? '').toUpperCase()), ['placed', 2, ids[1]]);
    t.deepEqual(await at(nilId), ['placed', 0, originId]);
    t.deepEqual(await at(originId), ['placed', 0, originId]);
    // Ours by its tag, another time: never stamped.
    t.deepEqual(await at(formatEventId(startMs + 5, toSequence(2), tag)), ['unknown-position', 2, ids[1]]);
    t.deepEqual(await at(formatEventId(startMs + 5, toSequence(0), tag)), ['unknown-position', 2, ids[1]]);
    t.deepEqual(await at(formatEventId(startMs + 2000, toSequence(5), tag)), ['unknown-position', 4, ids[3]]);
    // Another generator's: by comparison.
    t.deepEqual(await at(formatEventId(startMs + 500, toSequence(9), foreign)), ['placed', 2, ids[1]]);
    t.deepEqual(await at(formatEventId(startMs + 5000, toSequence(9), foreign)), ['unknown-position', 4, ids[3]]);
    t.deepEqual(await at(formatEventId(startMs - 1, toSequence(9), foreign)), ['expired', 0, originId]);
  });

  test(`${engine}: a cursor that retention has passed is expired, exactly behind it nothing is lost`, async (t) => {
    const first = await open(t);
    const ids = await appendEvents(first.journal, 4);
    const { originId, tag } = first.journal.describe();
    const { journal, clock } = await first.reopen({ retentionAgeMs: hourMs });
    clock.pass(20 * hourMs);
    ids.push(...(await appendEvents(journal, 2)));
    await sweepAll(journal);
    const at = async (cursor: string): Promise<[CursorVerdict, number]> => {
      const { verdict, sequence, id } = await journal.place(cursor);
      t.is(id, (ids[sequence - 1] ?? originId) as EventId);
      return [verdict, sequence];
    };
    t.deepEqual(await at(originId), ['expired', 4]);
    t.deepEqual(await at(ids[0] ?? ''), ['expired', 4]);
    t.deepEqual(await at(ids[2] ?? ''), ['expired', 4]);
    t.deepEqual(await at(ids[3] ?? ''), ['placed', 4]);
    t.deepEqual(await at(ids[4] ?? ''), ['placed', 5]);
    t.deepEqual(await at(nilId), ['placed', 4]);
    // The sequence is gone, but no record there ever had so late an id.
    t.deepEqual(await at(formatEventId(startMs + 2 * hourMs, toSequence(2), tag)), ['unknown-position', 4]);
    const foreign = ((tag + 1) % 2 ** 22) as JournalTag;
    t.deepEqual(await at(formatEventId(startMs, toSequence(0), foreign)), ['expired', 4]);
    t.deepEqual(await at(formatEventId(startMs + hourMs, toSequence(0), foreign)), ['placed', 4]);
  });
}
