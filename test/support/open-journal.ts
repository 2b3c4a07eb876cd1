import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { JournalStore } from '../../src/bus/engine/journal-store.ts';
import { type JournalSettings, journalDefaults } from '../../src/bus/journal/journal-settings.ts';
import { openJournal } from '../../src/bus/journal/open-journal.ts';
import type { JournalUnderTest } from '../contract/event-journal.contract.ts';
import { HandClock } from './bus-clock.ts';
import { startMs } from './journal-input.ts';

/** A directory of this test's own, gone with it. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** A journal in a store that `open` opens, each time it is called, on what it left the last time. */
export async function journalIn(
  t: ExecutionContext,
  open: () => JournalStore,
  settings: Partial<JournalSettings> = {},
  clock: HandClock = new HandClock(startMs),
): Promise<JournalUnderTest> {
  const journal = await openJournal(open(), clock, { ...journalDefaults, ...settings });
  t.teardown(() => journal.close());
  return {
    journal,
    clock,
    async reopen(more = {}) {
      await journal.close();
      return journalIn(t, open, { ...settings, ...more }, clock);
    },
  };
}
