import type { ExecutionContext, TestFn } from 'ava';
import type { JournalSettings } from '../../src/bus/journal/journal-settings.ts';
import type { EventJournal } from '../../src/contract/journal.ts';
import { type EventId, eventIdParts, formatEventId, parseEventId } from '../../src/core/event-id.ts';
import { AppendError, InvalidInputError } from '../../src/core/failure.ts';
import { toSequence } from '../../src/core/sequence.ts';
import type { HandClock } from '../support/bus-clock.ts';
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
} from '../support/journal-input.ts';

export interface JournalUnderTest {
  readonly journal: EventJournal;
  readonly clock: HandClock;
  /** Closes it and opens it again, as a restart does. */
  readonly reopen: (settings?: Partial<JournalSettings>) => Promise<JournalUnderTest>;
}

/** Opens an empty journal at `startMs` and registers its end with the test. */
export type OpenUnderTest = (t: ExecutionContext, settings?: Partial<JournalSettings>) => Promise<JournalUnderTest>;

async function refused(t: ExecutionContext, promise: Promise<unknown>, code: AppendError['code']): Promise<void> {
  const error = await t.throwsAsync(promise, { instanceOf: AppendError });
  t.is(error.code, code);
}

/** What every EventJournal owes its callers: order, ids, finality, idempotency. Retention and cursors are in their own suites. */
export function eventJournalContract(test: TestFn, engine: string, open: OpenUnderTest): void {
  // Without this, a Last-Event-ID would not be a position.
  test(`${engine}: ids carry the sequence and rise as text, within one millisecond too`, async (t) => {
    const { journal } = await open(t);
    const { ids, lastSequence } = await append(journal, eventEntry(1), eventEntry(2), eventEntry(1));
    t.is(lastSequence, toSequence(3));
    t.deepEqual([...ids].sort(), [...ids]);
    t.deepEqual(
      ids.map((id) => eventIdParts(id)),
      [1, 2, 3].map((n) => ({ timeMs: startMs, sequence: toSequence(n), tag: journal.describe().tag })),
    );
  });

  // Without this, a clock set back by an operator would stamp ids below those already delivered.
  test(`${engine}: ids rise when the clock steps back, and over a restart`, async (t) => {
    const first = await open(t);
    const ids = await appendEvents(first.journal, 2);
    first.clock.step(-10 * dayMs);
    ids.push(...(await appendEvents(first.journal, 1)));
    const second = await first.reopen();
    ids.push(...(await appendEvents(second.journal, 1)));
    t.deepEqual([...ids].sort(), ids);
    t.deepEqual(sequencesOf(await recordsAfter(second.journal, 0)), [1, 2, 3, 4]);
    t.is(new Set(ids).size, 4);
  });

  // Without this, what a subscriber reads would differ from what was acknowledged.
  test(`${engine}: a record is what was published, with what the bus settles`, async (t) => {
    const { journal } = await open(t);
    const execution_id = 'ABCDEF00-0000-4000-8000-000000000001';
    const metadata = { k: 'v', empty: '' };
    const { ids } = await append(journal, eventEntry(1, { execution_id, size: 0, metadata, checksum: 'sha256:x' }));
    const [record] = await recordsAfter(journal, 0);
    t.is(record?.id, ids[0]);
    t.like(record?.event, {
      execution_id: execution_id.toLowerCase(),
      extension: '.md',
      size: 0,
      metadata,
      checksum: 'sha256:x',
      time: new Date(startMs).toISOString(),
      topic: '/topic/system.storage.events',
    });
  });

  test(`${engine}: everything survives a restart`, async (t) => {
    const first = await open(t);
    const ids = await appendEvents(first.journal, 3);
    await append(first.journal, changeEntry(1, 'completed', ['nightly']));
    const before = { description: first.journal.describe(), facts: first.journal.execution(executionOf(1)) };
    const { journal } = await first.reopen();
    t.deepEqual({ description: journal.describe(), facts: journal.execution(executionOf(1)) }, before);
    t.deepEqual((await recordsAfter(journal, 0)).map(({ id }) => id).slice(0, 3), ids);
  });

  // Without this, one bad event of a batch would leave the others behind as half a batch.
  test(`${engine}: a batch with a fault leaves nothing, and says which entry`, async (t) => {
    const { journal } = await open(t);
    const bad = append(journal, eventEntry(1), eventEntry(1, { stage: 'a/../b' }), changeEntry(1, null));
    const error = await t.throwsAsync(bad, { instanceOf: InvalidInputError });
    t.deepEqual(
      error.faults.map(({ field }) => field),
      [
        ['entries', 1, 'event', 'stage'],
        ['entries', 2, 'change', 'status'],
      ],
    );
    t.is(journal.describe().newestSequence, toSequence(0));
    t.is(journal.execution(executionOf(1)), undefined);
  });

  // Without this, two publishers whose appends meet in one commit could hurt each other.
  test(`${engine}: a refused batch in a group does not touch the others`, async (t) => {
    const { journal } = await open(t);
    await append(journal, changeEntry(1, 'completed'));
    const results = await Promise.allSettled([
      append(journal, eventEntry(2)),
      append(journal, eventEntry(3), changeEntry(1, 'running')),
      append(journal, eventEntry(4)),
    ]);
    t.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    t.deepEqual(sequencesOf(await recordsAfter(journal, 0)), [1, 2, 3]);
    t.is(journal.execution(executionOf(3)), undefined);
  });

  // Without this, "everything before the terminal status was delivered" would not be a fact about sequences.
  test(`${engine}: a terminal status is final, repeated it is the first one`, async (t) => {
    const { journal } = await open(t);
    const { ids } = await append(journal, changeEntry(1, 'failed'));
    await refused(t, append(journal, changeEntry(1, 'completed')), 'terminal-final');
    await refused(t, append(journal, changeEntry(1, 'running')), 'terminal-final');
    await appendEvents(journal, 1);
    const again = await append(journal, changeEntry(1, 'failed'));
    t.deepEqual(again.ids, ids);
    t.is(again.lastSequence, toSequence(1));
    t.like(journal.execution(executionOf(1)), { status: 'failed', statusSequence: 1, events: 1, lateEvents: 1 });
    t.is(journal.describe().newestSequence, toSequence(2));
  });

  test(`${engine}: finality holds within one batch`, async (t) => {
    const { journal } = await open(t);
    await refused(t, append(journal, changeEntry(1, 'completed'), changeEntry(1, 'failed')), 'terminal-final');
    t.is(journal.execution(executionOf(1)), undefined);
  });

  test(`${engine}: tags are only added, after the end too; a change that changes nothing appends nothing`, async (t) => {
    const { journal } = await open(t);
    await append(journal, changeEntry(1, 'pending', ['a', 'b', 'a']));
    await append(journal, changeEntry(1, 'completed'));
    const added = await append(journal, changeEntry(1, null, ['b', 'c']));
    const repeated = await append(journal, changeEntry(1, 'completed', ['c', 'a']));
    t.deepEqual(repeated, added);
    t.deepEqual(journal.execution(executionOf(1))?.tags, [
      { tag: 'a', sequence: 1 },
      { tag: 'b', sequence: 1 },
      { tag: 'c', sequence: 3 },
    ]);
    const [, , record] = await recordsAfter(journal, 0);
    t.like(record?.change, { status: 3, status_changed: false, tags: ['c'] });
  });

  // Without this, an execution that events made `running` could never be confirmed with an id of its own.
  test(`${engine}: an execution named by events is running; saying so is a change once`, async (t) => {
    const { journal } = await open(t);
    await appendEvents(journal, 1);
    t.like(journal.execution(executionOf(1)), { status: 'running', statusSequence: 0 });
    const said = await append(journal, changeEntry(1, 'running'));
    t.is(said.lastSequence, toSequence(2));
    t.deepEqual(await append(journal, changeEntry(1, 'running')), said);
  });

  test(`${engine}: an execution has at most 100 tags`, async (t) => {
    const { journal } = await open(t);
    const tags = Array.from({ length: 60 }, (_, n) => `t${n}`);
    await append(journal, changeEntry(1, 'running', tags));
    const more = tags.map((tag) => `more-${tag}`);
    await refused(t, append(journal, changeEntry(1, null, more)), 'tags-exceeded');
  });

  // Without this, a publisher that repeats after a timeout would write the event twice.
  test(`${engine}: a repeated source_id has the first one's id; other input conflicts`, async (t) => {
    const first = await open(t);
    const source = eventEntry(1, { source_id: 'w-1', size: 5 });
    const { ids } = await append(first.journal, eventEntry(1), source);
    const { journal, clock } = await first.reopen();
    clock.pass(23 * hourMs);
    const again = await append(journal, source, eventEntry(1), source);
    t.deepEqual([again.ids[0], again.ids[2]], [ids[1], ids[1]]);
    t.is(again.lastSequence, toSequence(3));
    await refused(t, append(journal, eventEntry(1, { source_id: 'w-1', size: 6 })), 'source-id-conflict');
    // The key belongs to its execution.
    t.not((await append(journal, eventEntry(2, { source_id: 'w-1', size: 6 }))).ids[0], ids[1]);
  });

  test(`${engine}: a source_id twice in one batch, or in one group, is one event`, async (t) => {
    const { journal } = await open(t);
    const source = eventEntry(1, { source_id: 'w-1' });
    const [one, two] = await Promise.all([append(journal, source, source), append(journal, source)]);
    t.is(new Set([...one.ids, ...two.ids]).size, 1);
    t.is(journal.describe().newestSequence, toSequence(1));
    const other = eventEntry(1, { source_id: 'w-2' });
    const conflict = append(journal, other, eventEntry(1, { source_id: 'w-2', size: 1 }));
    await refused(t, conflict, 'source-id-conflict');
    // A refused batch does not use its keys up.
    t.is((await append(journal, other)).lastSequence, toSequence(2));
  });

  test(`${engine}: the idempotency window ends by age and by count, oldest first`, async (t) => {
    const { journal, clock } = await open(t, { idempotencyKeysMax: 3 });
    const source = (n: number): ReturnType<typeof eventEntry> => eventEntry(1, { source_id: `w-${n}` });
    for (const n of [1, 2, 3, 4]) await append(journal, source(n));
    t.like(journal.stats(), { sources: 3, sourcesForgotten: 1 });
    t.is((await append(journal, source(2))).lastSequence, toSequence(2));
    t.is((await append(journal, source(1))).lastSequence, toSequence(5));
    clock.pass(25 * hourMs);
    t.is((await append(journal, source(4))).lastSequence, toSequence(6));
    await journal.sweep();
    t.is(journal.stats().sources, 1);
  });

  test(`${engine}: reads are bounded and say how far they came`, async (t) => {
    const { journal } = await open(t);
    await append(journal, ...Array.from({ length: 10 }, () => eventEntry(1)));
    const everything = { executionIds: null, eventsOnly: false, limitBytes: 1e6, limitRecords: 100 };
    const read = async (range: object): Promise<unknown> => {
      let taken = 0;
      const base = { ...everything, after: toSequence(0), until: toSequence(99) };
      const result = await journal.read({ ...base, ...range }, () => (taken += 1));
      return result.kind === 'read' ? [taken, result.records, result.through] : result;
    };
    t.deepEqual(await read({}), [10, 10, 10]);
    t.deepEqual(await read({ after: 3, until: 7 }), [4, 4, 7]);
    t.deepEqual(await read({ limitRecords: 4 }), [4, 4, 4]);
    t.deepEqual(await read({ limitBytes: 1 }), [1, 1, 1]);
    t.deepEqual(await read({ after: 10 }), [0, 0, 10]);
  });

  test(`${engine}: a read by execution brings theirs, in order, whatever lies between`, async (t) => {
    const { journal } = await open(t);
    for (let n = 0; n < 300; n += 1) await append(journal, eventEntry(n % 7), eventEntry(n % 3));
    await append(journal, changeEntry(1, 'completed'));
    const all = await recordsAfter(journal, 0);
    const named = (record: (typeof all)[number]): string =>
      record.event?.execution_id ?? record.change?.execution_id ?? '';
    for (const executions of [[1], [5, 2], [1, 1, 6], [99]]) {
      const wanted = new Set(executions.map(executionOf));
      const expected = all.filter((record) => wanted.has(named(record)) && record.sequence > 50);
      t.deepEqual(await recordsAfter(journal, 50, executions), expected);
    }
  });

  test(`${engine}: last bytes are found by size`, async (t) => {
    const { journal } = await open(t);
    await append(journal, ...Array.from({ length: 20 }, () => eventEntry(1)));
    const each = journal.describe().retainedBytes / 20;
    t.is(await journal.beforeLastBytes(0), toSequence(20));
    t.is(await journal.beforeLastBytes(each * 5), toSequence(15));
    t.is(await journal.beforeLastBytes(1e9), toSequence(0));
  });

  test(`${engine}: listeners hear of what is committed, executions with their facts`, async (t) => {
    const { journal } = await open(t);
    const heard: string[] = [];
    journal.onAdvance(() => heard.push(`advance ${journal.describe().newestSequence}`));
    const stop = journal.onExecutions(({ asOf, changed }) => {
      heard.push(`executions ${asOf}: ${changed.map(({ events }) => events).join()}`);
    });
    await append(journal, eventEntry(1), eventEntry(1), eventEntry(2));
    stop();
    await append(journal, eventEntry(1));
    t.deepEqual(heard, ['executions 3: 2,1', 'advance 3', 'advance 4']);
  });

  test(`${engine}: facts that were handed out do not change`, async (t) => {
    const { journal } = await open(t);
    await appendEvents(journal, 1);
    const snapshot = journal.executions();
    await append(journal, eventEntry(1), changeEntry(1, 'completed', ['x']));
    t.like(snapshot, { asOf: toSequence(1) });
    t.like(snapshot.facts[0], { events: 1, status: 'running', tags: [] });
  });

  test(`${engine}: a closed journal refuses, after it has done what it took`, async (t) => {
    const first = await open(t);
    const last = append(first.journal, eventEntry(1));
    const { journal } = await first.reopen();
    t.is(parseEventId((await last).ids[0] ?? ''), (await recordsAfter(journal, 0))[0]?.id as EventId);
    await refused(t, append(first.journal, eventEntry(1)), 'journal-closed');
  });

  // Without this, the ids of a journal put back from a backup would name two records.
  test(`${engine}: a restored journal takes a new tag and remembers the old one`, async (t) => {
    const first = await open(t);
    const before = first.journal.describe();
    const [id] = await appendEvents(first.journal, 1);
    const { journal } = await first.reopen({ restored: true });
    const after = journal.describe();
    t.not(after.tag, before.tag);
    t.is(after.journalId, before.journalId);
    t.true(journal.hasTag(before.tag));
    t.like(await journal.place(id ?? ''), { verdict: 'placed', sequence: toSequence(1) });
    const lost = formatEventId(startMs, toSequence(2), before.tag);
    t.is((await journal.place(lost)).verdict, 'unknown-position');
    t.true((await appendEvents(journal, 1)).every((next) => next > (id ?? '')));
  });
}
