import test from 'ava';
import { batchFaults } from '../../src/bus/journal/append/entry-faults.ts';
import type { JournalEntry } from '../../src/contract/journal.ts';
import { batchBytesMax, batchEventsMax } from '../../src/core/limits.ts';

const event: JournalEntry = {
  kind: 'event',
  event: { execution_id: '0d9be1a2-7c3e-4f4e-9a56-3f1c6f6b2a10', stage: 's', path: 'p.md' },
};

test('a batch of 1 MiB and one of 1,000 entries are taken, a byte or an entry more is refused with both numbers', (t) => {
  t.deepEqual(batchFaults([event], batchBytesMax), []);
  t.deepEqual(batchFaults([event], batchBytesMax + 1), [
    { field: ['entries'], reason: 'must be at most 1048576 bytes together, are 1048577' },
  ]);
  const entries = Array.from({ length: batchEventsMax }, () => event);
  t.deepEqual(batchFaults(entries, 1_000), []);
  t.deepEqual(batchFaults([...entries, event], 1_000), [
    { field: ['entries'], reason: 'must be at most 1000, are 1001' },
  ]);
  t.deepEqual(batchFaults([], 0), [{ field: ['entries'], reason: 'must not be empty' }]);
});
