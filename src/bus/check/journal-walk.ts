import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkBytesMax, checkRecordsMax } from '../../core/limits.ts';
import { peekRecord } from '../../wire/record/record-codec.ts';
import type { JournalState } from '../engine/journal-store.ts';
import { journalFileName, openTables, readMeta, type Tables, tableStats } from '../engine/lmdb-store.ts';
import { indexKeyBytes, packedFault, unpackRecord } from '../engine/stored-record.ts';

/** How a walk over part of the records ended. */
interface Walked {
  readonly fault: string | null;
  readonly records: number;
}

/**
 * Why the journal file in a directory cannot be served, or null. Opens it for reading only. May not come back: a page that is missing or
 * nonsense can end the process, which is why it runs in one of its own.
 *
 * Cost: bounded by checkRecordsMax and checkBytesMax from either end of the records; the tables that the bus loads whole are read whole.
 */
export function journalFault(directory: string): string | null {
  const path = join(directory, journalFileName);
  if (!existsSync(path)) return null;
  if (statSync(path).size === 0) return 'it is empty';
  const tables = openTables(directory, { readOnly: true });
  const missing = missingBytes(tables, path);
  if (missing > 0) return `it is cut short: ${missing} bytes are missing`;
  const meta = readMeta(tables);
  if (meta === null) return tableStats(tables.records).entryCount === 0 ? null : 'it does not say whose it is';
  const { state } = meta;
  const oldest = walk(tables, state, false);
  if (oldest.fault !== null) return oldest.fault;
  if (oldest.records >= checkRecordsMax) {
    const newest = walk(tables, state, true);
    if (newest.fault !== null) return newest.fault;
  }
  return endFault(tables, state) ?? smallTablesFault(tables);
}

function missingBytes(tables: Tables, path: string): number {
  const { lastPageNumber, pageSize } = tableStats(tables.root);
  return Math.max(0, (lastPageNumber + 1) * pageSize - statSync(path).size);
}

/** Records in a row: each as it was stored, each behind the one before. */
function walk(tables: Tables, state: JournalState, reverse: boolean): Walked {
  let records = 0;
  let bytes = 0;
  let last: { readonly sequence: number; readonly id: string } | null = null;
  for (const { key, value } of tables.records.getRange({ reverse })) {
    const fault = packedFault(value);
    if (fault !== null) return { fault: `record ${key} ${fault}`, records };
    const { sequence, id } = peekRecord(unpackRecord(key, value).bytes);
    const ordered = last === null || (reverse ? id < last.id : id > last.id);
    const within = key > state.horizonSequence && key <= state.newestSequence;
    if (sequence !== key || !ordered || !within) return { fault: `record ${key} is out of place`, records };
    last = { sequence, id };
    records += 1;
    bytes += value.length;
    if (records >= checkRecordsMax || bytes >= checkBytesMax) return { fault: null, records: checkRecordsMax };
  }
  return { fault: null, records };
}

/** The newest record is the one that the state names. A repair may have left a hole there, which the state of then says. */
function endFault(tables: Tables, state: JournalState): string | null {
  for (const { key, value } of tables.records.getRange({ reverse: true, limit: 1 })) {
    const { id } = peekRecord(unpackRecord(key, value).bytes);
    return key === state.newestSequence && id !== state.newestId
      ? `record ${key} is not the newest that it names`
      : null;
  }
  return null;
}

/** Executions are loaded whole; of the other tables every key, within the bounds, so that their pages are touched. */
function smallTablesFault(tables: Tables): string | null {
  for (const { value } of tables.executions.getRange()) JSON.parse(value.toString());
  for (const { key } of tables.index.getRange({ limit: checkRecordsMax })) {
    if (key.length !== indexKeyBytes) return 'its index is damaged';
  }
  for (const { value } of tables.sourceOrder.getRange({ limit: checkRecordsMax })) {
    if (value.length <= 8) return 'its idempotency keys are damaged';
  }
  return null;
}
