import type { EventJournal } from '../contract/journal.ts';
import type { Clock } from '../core/clock.ts';
import { StartError } from '../core/failure.ts';
import { checkJournal } from './check/check-journal.ts';
import { lockDirectory } from './check/directory-lock.ts';
import { LmdbStore } from './engine/lmdb-store.ts';
import { MemoryStore } from './engine/memory-store.ts';
import type { JournalSettings } from './journal/journal-settings.ts';
import { openJournal } from './journal/open-journal.ts';

export interface OpenEngine {
  readonly journal: EventJournal;
  close(): Promise<void>;
}

/** Opens the engine of the settings. For `lmdb`: locks the directory, has the file checked in a process of its own, then opens it. */
export async function openEngine(
  where: { readonly engine: 'lmdb' | 'memory'; readonly dataDirectory: string },
  settings: JournalSettings,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal | undefined },
): Promise<OpenEngine> {
  if (where.engine === 'memory') {
    const journal = await openJournal(new MemoryStore(), clock, settings);
    return { journal, close: () => journal.close() };
  }
  const lock = lockDirectory(where.dataDirectory);
  try {
    await checkJournal(where.dataDirectory, clock, signal);
    const journal = await openJournal(openStore(where.dataDirectory), clock, settings);
    return {
      journal,
      async close() {
        await journal.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function openStore(directory: string): LmdbStore {
  try {
    return new LmdbStore(directory);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`the journal in ${directory} cannot be opened: ${reason}`, 1, { cause });
  }
}
