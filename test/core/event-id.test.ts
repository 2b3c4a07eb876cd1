import test from 'ava';
import { eventIdsOf, formatEventId, type JournalTag, journalTagMax } from '../../src/core/event-id.ts';
import { sequenceMax, toSequence } from '../../src/core/sequence.ts';
import { seeded } from '../support/seed.ts';

// Without this the ids of a commit could break where the part that they share changes: every 2^26 sequences.
test('ids made in a row are those that are made one by one', (t) => {
  const random = seeded(t);
  for (const tag of [0, 1, 0xfff, 0x1000, random.below(2 ** 22), journalTagMax] as JournalTag[]) {
    const timeMs = 1_764_000_000_000 + random.below(1e9);
    const idOf = eventIdsOf(timeMs, tag);
    const edges = [1, 2 ** 14, 2 ** 26 - 3, 2 ** 26, 2 ** 27 - 1, 2 ** 40 - 2, 2 ** 40, 2 ** 51, sequenceMax - 9];
    for (const first of [...edges, random.below(2 ** 40)]) {
      for (let sequence = first; sequence < first + 9; sequence += 1) {
        t.is(idOf(toSequence(sequence)), formatEventId(timeMs, toSequence(sequence), tag));
      }
    }
  }
});
