import test from 'ava';
import { MemoryStore } from '../../src/bus/engine/memory-store.ts';
import { toSequence } from '../../src/core/sequence.ts';
import { append, changeEntry, eventEntry, executionOf } from '../support/journal-input.ts';
import { journalIn } from '../support/open-journal.ts';

/** Counts how often the index is asked. */
class CountingStore extends MemoryStore {
  seeks = 0;
  override sequencesOf(...ask: Parameters<MemoryStore['sequencesOf']>): number[] {
    this.seeks += 1;
    return super.sequencesOf(...ask);
  }
}

// A seek for each of 10,000 executions and block held the bus for 180 ms at a time: every publisher waited for one reader of a large tag.
test('a tag that is most of the journal is read without a seek for each of its executions', async (t) => {
  const store = new CountingStore();
  const { journal } = await journalIn(t, () => store);
  const watched = Array.from({ length: 200 }, (_, n) => n + 1);
  for (const n of watched) await append(journal, changeEntry(n, 'running'), eventEntry(n), eventEntry(n + 1_000));
  const executionIds = watched.map(executionOf);
  const until = journal.describe().newestSequence;
  const read: string[] = [];
  let after = toSequence(0);
  for (let first = true; after < until; first = false) {
    const range = { after, until, executionIds, eventsOnly: true, limitBytes: 1_000_000, limitRecords: 20 };
    const result = await journal.read(range, (record) => {
      read.push(Buffer.from(record).toString('latin1'));
    });
    if (result.kind !== 'read') return t.fail(result.kind);
    if (first) t.is(store.seeks, 0);
    after = result.through;
  }
  // Each once, in order, and nothing else.
  t.is(read.length, watched.length);
  t.deepEqual(
    read.map((record, at) => record.includes(executionIds[at] ?? '?')),
    watched.map(() => true),
  );
});

// The other way round the index is what makes it cheap.
test('a few records among many are found by the index, not by reading all', async (t) => {
  const store = new CountingStore();
  const { journal } = await journalIn(t, () => store);
  await append(journal, eventEntry(1), eventEntry(2));
  for (let n = 0; n < 5; n += 1) await append(journal, ...Array.from({ length: 200 }, () => eventEntry(3)));
  await append(journal, eventEntry(2));
  let looks = 0;
  const record = store.record.bind(store);
  store.record = (sequence): Uint8Array | null => {
    looks += 1;
    return record(sequence);
  };
  const until = journal.describe().newestSequence;
  const range = { after: toSequence(0), until, eventsOnly: true, limitBytes: 1_000_000, limitRecords: 20 };
  const result = await journal.read({ ...range, executionIds: [executionOf(1), executionOf(2)] }, () => undefined);
  t.like(result, { kind: 'read', records: 3, through: until });
  t.true(looks <= 6, `${looks} records were looked at`);
});
