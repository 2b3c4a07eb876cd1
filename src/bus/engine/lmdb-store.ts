import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { ExecutionFacts } from '../../contract/journal.ts';
import { journalMapBytes } from '../../core/limits.ts';
import type {
  JournalIdentity,
  JournalState,
  JournalStore,
  RecordHead,
  SourceKey,
  StoreBatch,
  StoredSource,
} from './journal-store.ts';
import {
  indexKey,
  indexValue,
  packRecord,
  recordHeadBytes,
  unpackHead,
  unpackRecord,
  uuidBytes,
  uuidText,
} from './stored-record.ts';
import { appendErrorOf, refuseWithoutRoom, rootCause, WriteProbe } from './write-failure.ts';

/** The one file of a journal in its data directory, beside LMDB's own lock file. */
export const journalFileName = 'journal.mdb';

const identityKey = 'identity';
const stateKey = 'state';
/** A row of the index is its key. */
const nothing = Buffer.from([0]);

/** What LMDB counts of a table and of its file; the library's types leave it open. */
export interface TableStats {
  readonly lastPageNumber: number;
  readonly pageSize: number;
  readonly entryCount: number;
}

export interface Tables {
  readonly root: RootDatabase<Buffer, string>;
  /** Sequence to head and encoded Record. */
  readonly records: Database<Buffer, number>;
  /** (execution, sequence, kind). */
  readonly index: Database<Buffer, Buffer>;
  /** Execution id to its facts, as JSON: read at start only. */
  readonly executions: Database<Buffer, Buffer>;
  /** (execution, source id) to StoredSource. */
  readonly sources: Database<Buffer, Buffer>;
  /** Sequence to the key in `sources`, for forgetting the oldest first. */
  readonly sourceOrder: Database<Buffer, number>;
  readonly meta: Database<Buffer, string>;
}

/** Opens the file; throws what LMDB throws. A damaged file may end the process instead: check first (check/). */
export function openTables(directory: string, options: { readonly readOnly: boolean }): Tables {
  const root = open<Buffer, string>({
    path: join(directory, journalFileName),
    noSubdir: true,
    encoding: 'binary',
    maxDbs: 8,
    // A promise of a write resolves after its flush, not after its commit.
    overlappingSync: false,
    // Else it opens a batch of its own around ours, and nobody handles the rejection of that one: a full disk would end the process.
    eventTurnBatching: false,
    mapSize: journalMapBytes,
    readOnly: options.readOnly,
  });
  const binary = { encoding: 'binary', cache: false } as const;
  return {
    root,
    records: root.openDB<Buffer, number>({ name: 'records', ...binary }),
    index: root.openDB<Buffer, Buffer>({ name: 'index', keyEncoding: 'binary', ...binary }),
    executions: root.openDB<Buffer, Buffer>({ name: 'executions', keyEncoding: 'binary', ...binary }),
    sources: root.openDB<Buffer, Buffer>({ name: 'sources', keyEncoding: 'binary', ...binary }),
    sourceOrder: root.openDB<Buffer, number>({ name: 'source-order', ...binary }),
    meta: root.openDB<Buffer, string>({ name: 'meta', ...binary }),
  };
}

function parse(bytes: Buffer | undefined): unknown {
  return bytes === undefined ? null : JSON.parse(bytes.toString());
}

/** Null when the file has no journal yet. */
export function readMeta(tables: Tables): { identity: JournalIdentity; state: JournalState } | null {
  const identity = parse(tables.meta.getBinary(identityKey)) as JournalIdentity | null;
  const state = parse(tables.meta.getBinary(stateKey)) as JournalState | null;
  return identity === null || state === null ? null : { identity, state };
}

export function tableStats(table: { getStats(): object }): TableStats {
  return table.getStats() as TableStats;
}

const sourceKey = (key: SourceKey): Buffer => Buffer.concat([uuidBytes(key.executionId), Buffer.from(key.sourceId)]);

/** A row of `sources`, for a repair. */
export function parseSourceRow(key: Buffer, value: Buffer): { key: SourceKey; source: StoredSource } {
  const sourceId = key.toString('utf8', 16);
  return { key: { executionId: uuidText(key, 0), sourceId }, source: parse(value) as StoredSource };
}

/** The embedded engine: one LMDB file, one writer, commits flushed before they resolve. */
export class LmdbStore implements JournalStore {
  readonly #tables: Tables;
  readonly #probe: WriteProbe;
  readonly place: string;

  constructor(directory: string, options: { readonly readOnly: boolean } = { readOnly: false }) {
    this.place = join(directory, journalFileName);
    this.#tables = openTables(directory, options);
    this.#probe = new WriteProbe(this.place);
  }

  load(): { identity: JournalIdentity; state: JournalState } | null {
    return readMeta(this.#tables);
  }

  *executions(): Generator<ExecutionFacts, void> {
    for (const { value } of this.#tables.executions.getRange()) yield JSON.parse(value.toString()) as ExecutionFacts;
  }

  async commit(batch: StoreBatch): Promise<void> {
    this.#probe.refuseOnReadOnlyDisk();
    if (batch.records.length > 0) refuseWithoutRoom(this.place);
    // A copy that was killed leaves its place as a reader behind, and pages that a trim frees would be kept for it.
    if (batch.trim !== null) this.#tables.root.readerCheck();
    try {
      await this.#tables.root.batch(() => {
        this.#remove(batch);
        this.#add(batch);
      });
    } catch (error) {
      throw appendErrorOf(await rootCause(error), this.place);
    } finally {
      this.#tables.root.resetReadTxn();
    }
  }

  head(from: number): RecordHead | null {
    this.#tables.root.resetReadTxn();
    const at = this.#tables.records.getBinaryFast(from);
    if (at !== undefined) return unpackHead(from, at, at.length);
    // A hole, as a repair leaves it.
    for (const { key, value } of this.#tables.records.getRange({ start: from, limit: 1 })) {
      return unpackHead(key, value, value.length);
    }
    return null;
  }

  record(sequence: number): Uint8Array | null {
    const packed = this.#tables.records.getBinaryFast(sequence);
    // Its own bytes: the buffer that LMDB lends is overwritten by the next read.
    return packed === undefined ? null : packed.subarray(recordHeadBytes, packed.length);
  }

  sequencesOf(executionId: string, after: number, options: { eventsOnly: boolean; limit: number }): number[] {
    const execution = uuidBytes(executionId);
    const start = indexKey(execution, after + 1, false);
    const end = indexKey(execution, 2 ** 52 - 1, true);
    const sequences: number[] = [];
    for (const key of this.#tables.index.getKeys({ start, end })) {
      const value = indexValue(key);
      if (options.eventsOnly && value % 2 === 1) continue;
      sequences.push(Math.floor(value / 2));
      if (sequences.length === options.limit) break;
    }
    return sequences;
  }

  source(key: SourceKey): StoredSource | null {
    return parse(this.#tables.sources.getBinary(sourceKey(key))) as StoredSource | null;
  }

  oldestSources(limit: number): { sequence: number; timeMs: number }[] {
    const oldest: { sequence: number; timeMs: number }[] = [];
    for (const { key, value } of this.#tables.sourceOrder.getRange({ limit })) {
      oldest.push({ sequence: key, timeMs: value.readDoubleBE(0) });
    }
    return oldest;
  }

  async close(): Promise<void> {
    this.#probe.close();
    await this.#tables.root.close();
  }

  #remove(batch: StoreBatch): void {
    const { records, index, executions, sources, sourceOrder } = this.#tables;
    if (batch.trim !== null) {
      const range = { start: batch.trim.after + 1, end: batch.trim.through + 1 };
      for (const { key, value } of records.getRange(range)) {
        const { executionId, isChange } = unpackRecord(key, value);
        void index.remove(indexKey(uuidBytes(executionId), key, isChange));
        void records.remove(key);
      }
    }
    for (const executionId of batch.executionsForgotten) void executions.remove(uuidBytes(executionId));
    for (const sequence of batch.sourcesForgotten) {
      const row = sourceOrder.getBinary(sequence);
      if (row === undefined) continue;
      void sourceOrder.remove(sequence);
      const key = row.subarray(8);
      const stored = parse(sources.getBinary(key)) as StoredSource | null;
      if (stored?.sequence === sequence) void sources.remove(key);
    }
  }

  #add(batch: StoreBatch): void {
    const { records, index, executions, sources, sourceOrder, meta } = this.#tables;
    let executionId = '';
    let execution: Buffer = nothing;
    for (const record of batch.records) {
      // Records of one execution come in runs.
      if (record.executionId !== executionId) {
        executionId = record.executionId;
        execution = uuidBytes(executionId);
      }
      void records.put(record.sequence, packRecord(record, execution));
      void index.put(indexKey(execution, record.sequence, record.isChange), nothing);
    }
    for (const facts of batch.executions) {
      void executions.put(uuidBytes(facts.executionId), Buffer.from(JSON.stringify(facts)));
    }
    for (const { key, source } of batch.sources) {
      const keyBytes = sourceKey(key);
      const row = Buffer.allocUnsafe(8 + keyBytes.length);
      row.writeDoubleBE(source.timeMs, 0);
      keyBytes.copy(row, 8);
      void sources.put(keyBytes, Buffer.from(JSON.stringify(source)));
      void sourceOrder.put(source.sequence, row);
    }
    if (batch.identity !== null) void meta.put(identityKey, Buffer.from(JSON.stringify(batch.identity)));
    void meta.put(stateKey, Buffer.from(JSON.stringify(batch.state)));
  }
}
