import { writeSync } from 'node:fs';
import { LmdbStore } from '../../src/bus/engine/lmdb-store.ts';
import { journalDefaults } from '../../src/bus/journal/journal-settings.ts';
import { openJournal } from '../../src/bus/journal/open-journal.ts';
import { systemClock } from '../../src/core/clock.ts';
import { eventEntry } from '../support/journal-input.ts';

/** For crash.test.ts: appends until it is killed, and says what was acknowledged, one line a batch. Not a test. */
const [directory = ''] = process.argv.slice(2);
const journal = await openJournal(new LmdbStore(directory), systemClock, journalDefaults);

async function publisher(execution: number): Promise<never> {
  for (let n = 0; ; n += 1) {
    const source_id = `p${execution}-${n}`;
    const { ids } = await journal.append([eventEntry(execution, { source_id }), eventEntry(execution)], 200);
    writeSync(1, `${ids.join(' ')} ${execution} ${source_id}\n`);
  }
}

await Promise.all([1, 2, 3, 4].map(publisher));
