import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkBytesMax, checkRecordsMax } from '../../core/limits.ts';
import { peekRecord } from '../../wire/record/record-codec.ts';
import type { JournalState } from '../engine/journal-store.ts';
import { journalFileName, openTables, readMeta, type Tables, tableStats } from '../engine/lmdb-store.ts';
import { packedFault, unpackRecord } from '../engine/stored-record.ts';

/** How a walk over part of the records ended. */
interface Walked {
  readonly fault: string | null;
  /** Every record was seen. */
  readonly whole: boolean;
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
  if (!meta.identity.repaired) {
    const gone = state.newestSequence - state.horizonSequence - tableStats(tables.records).entryCount;
    if (gone !== 0) return `${gone} of the records that it names are missing`;
  }
  const oldest = walk(tables, state, false);
  if (oldest.fault !== null) return oldest.fault;
  if (!oldest.whole) {
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
    if (fault !== null) return { fault: `record ${key} ${fault}`, whole: false };
    const { sequence, id } = peekRecord(unpackRecord(key, value).bytes);
    const ordered = last === null || (reverse ? id < last.id : id > last.id);
    const within = key > state.horizonSequence && key <= state.newestSequence;
    if (sequence !== key || !ordered || !within) return { fault: `record ${key} is out of place`, whole: false };
    last = { sequence, id };
    records += 1;
    bytes += value.length;
    if (records >= checkRecordsMax || bytes >= checkBytesMax) return { fault: null, whole: false };
  }
  return { fault: countFault('records', tables.records, records), whole: true };
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

/** A page of nonsense may end a walk without an error: what was seen must be what LMDB counts. */
function countFault(name: string, table: { getStats(): object }, seen: number): string | null {
  const { entryCount } = tableStats(table);
  return seen === entryCount ? null : `only ${seen} of its ${entryCount} ${name} can be reached`;
}

/** Executions are loaded whole; of the other tables every row, within the bounds, so that their pages are touched. */
function smallTablesFault(tables: Tables): string | null {
  let executions = 0;
  for (const { value } of tables.executions.getRange()) {
    JSON.parse(value.toString());
    executions += 1;
  }
  const fault = countFault('executions', tables.executions, executions);
  if (fault !== null) return fault;
  const others = { 'index rows': tables.index, 'idempotency keys': tables.sources, 'key rows': tables.sourceOrder };
  for (const [name, table] of Object.entries(others)) {
    let rows = 0;
    for (const { value } of table.getRange({ limit: checkRecordsMax })) rows += value.length > 0 ? 1 : 0;
    const short = rows < checkRecordsMax ? countFault(name, table, rows) : null;
    if (short !== null) return short;
  }
  return null;
}
