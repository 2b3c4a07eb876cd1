import { LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { journalDefaults } from '../../src/bus/journal/journal-settings.ts';
import { openJournal } from '../../src/bus/journal/open-journal.ts';
import { systemClock } from '../../src/core/clock.ts';
import { AppendError } from '../../src/core/failure.ts';
import { append, eventEntry } from '../support/journal-input.ts';

/** For disk-full.test.ts: appends until ten have failed, and says what was acknowledged and how the others failed. Not a test. */
const [directory = ''] = process.argv.slice(2);
const journal = await openJournal(new LmdbStore(directory), systemClock, journalDefaults);
const metadata = { padding: 'x'.repeat(1_000) };
const acknowledged: string[] = [];
const failures: string[] = [];
while (failures.length < 10) {
  try {
    const { ids } = await append(journal, ...Array.from({ length: 100 }, () => eventEntry(1, { metadata })));
    acknowledged.push(...ids);
  } catch (error) {
    failures.push(error instanceof AppendError ? error.code : String(error));
    // What lmdb leaves unhandled ends the process on a later turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
await journal.close();
process.stdout.write(JSON.stringify({ acknowledged, failures }));
