import test from 'ava';
import { AppendError } from '../../src/core/failure.ts';
import { toSequence } from '../../src/core/sequence.ts';
import { EarlyStore, HeldStore } from '../support/held-store.ts';
import { append, appendEvents, changeEntry, eventEntry, executionOf, recordsAfter } from '../support/journal-input.ts';
import { journalIn } from '../support/open-journal.ts';

/** Lets everything that is ready to run do so. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

// Without this, a power cut would take back what a subscriber has already seen.
test('nothing of a commit is visible before it is flushed', async (t) => {
  const store = new EarlyStore();
  const { journal } = await journalIn(t, () => store);
  const [first] = await appendEvents(journal, 1);
  store.held = true;
  let acknowledged = false;
  let told = 0;
  journal.onAdvance(() => (told += 1));
  journal.onExecutions(() => (told += 1));
  const source = eventEntry(1, { source_id: 'w' });
  const appended = append(journal, source, changeEntry(1, 'completed', ['x'])).then((receipt) => {
    acknowledged = true;
    return receipt;
  });
  await settle();
  t.truthy(store.record(2), 'the store shows it already');
  t.false(acknowledged);
  t.is(told, 0);
  t.like(journal.describe(), { newestSequence: toSequence(1), newestId: first });
  t.is((await recordsAfter(journal, 0)).length, 1);
  t.is((await recordsAfter(journal, 0, [1])).length, 1);
  t.like(journal.execution(executionOf(1)), { events: 1, status: 'running' });
  t.is((await journal.place('ffffffff-ffff-7fff-bfff-ffffffffffff')).sequence, toSequence(1));
  store.held = false;
  store.release();
  const { ids } = await appended;
  t.is(told, 2);
  t.is((await recordsAfter(journal, 1)).length, 2);
  t.is((await journal.place(ids[0] ?? '')).verdict, 'placed');
});

// Without this, every publisher would pay for a flush of its own.
test('appends that arrive during a commit share the next one', async (t) => {
  const store = new HeldStore();
  const { journal } = await journalIn(t, () => store);
  store.held = true;
  const first = append(journal, eventEntry(1));
  await settle();
  const rest = Array.from({ length: 20 }, () => append(journal, eventEntry(1)));
  const before = store.commits;
  store.release();
  await first;
  await settle();
  store.held = false;
  store.release();
  t.deepEqual(
    (await Promise.all(rest)).map(({ lastSequence }) => Number(lastSequence)),
    Array.from({ length: 20 }, (_, n) => n + 2),
  );
  t.is(store.commits, before + 1);
});

test('a commit that did not happen leaves no trace, and the journal goes on', async (t) => {
  const store = new HeldStore();
  const { journal } = await journalIn(t, () => store);
  store.held = true;
  const lost = append(journal, eventEntry(1, { source_id: 'w' }), changeEntry(1, 'completed'));
  await settle();
  store.held = false;
  store.fail(new AppendError('journal-full', 'the disk is full'));
  await t.throwsAsync(lost, { instanceOf: AppendError, message: /full/ });
  t.is(journal.execution(executionOf(1)), undefined);
  const { lastSequence } = await append(journal, eventEntry(1, { source_id: 'w', size: 1 }));
  t.is(lastSequence, toSequence(1));
});

// Without this, ids would be given twice after a flush that failed half-way.
test('a commit that failed and yet is there stops the journal', async (t) => {
  const store = new EarlyStore();
  const { journal } = await journalIn(t, () => store);
  store.held = true;
  const lost = append(journal, eventEntry(1));
  await settle();
  store.held = false;
  store.fail(new AppendError('journal-failed', 'the flush failed'));
  await t.throwsAsync(lost, { instanceOf: AppendError });
  const error = await t.throwsAsync(append(journal, eventEntry(1)), { instanceOf: AppendError });
  t.is(error.code, 'journal-failed');
});

test('appends beyond the queue are refused at once', async (t) => {
  const store = new HeldStore();
  const { journal } = await journalIn(t, () => store);
  store.held = true;
  const large = Array.from({ length: 140 }, () => journal.append([eventEntry(1)], 1_000_000));
  const results = Promise.allSettled(large);
  await settle();
  t.true(journal.stats().pendingBytes <= 134_217_728);
  store.held = false;
  store.release();
  const refused = (await results).filter((result) => result.status === 'rejected');
  t.true(refused.length > 0 && refused.length < 20);
  t.true(refused.every(({ reason }) => reason instanceof AppendError && reason.code === 'overloaded'));
});

// Without this, a record that retention is just taking would look like a hole, and be passed over in silence.
test('records are out of reach before a trim begins', async (t) => {
  const store = new EarlyStore();
  const { journal, clock } = await journalIn(t, () => store, { retentionAgeMs: 3_600_000 });
  await appendEvents(journal, 5);
  clock.pass(20 * 3_600_000);
  store.held = true;
  const swept = journal.sweep();
  await settle();
  t.is(store.record(3), null, 'the store has lost it already');
  t.is((await recordsAfter(journal, 0)).length, 0);
  const range = { until: toSequence(9), executionIds: null, eventsOnly: false, limitBytes: 9, limitRecords: 9 };
  t.is((await journal.read({ ...range, after: toSequence(2) }, () => undefined)).kind, 'trimmed');
  store.held = false;
  store.release();
  await swept;
  t.is(journal.describe().horizonSequence, toSequence(5));
});
