import type { ExecutionFacts } from '../../contract/journal.ts';
import type {
  JournalIdentity,
  JournalState,
  JournalStore,
  RecordHead,
  SourceKey,
  StoreBatch,
  StoredRecord,
  StoredSource,
} from './journal-store.ts';

/** Dead places at the front of an array before it is cut. */
const compactAt = 1_024;

const keyText = (key: SourceKey): string => `${key.executionId}/${key.sourceId}`;

interface IndexRow {
  readonly sequence: number;
  readonly isChange: boolean;
}

/** The reference engine: it keeps everything in this process and forgets it at the end. A reopened one is the same object again. */
export class MemoryStore implements JournalStore {
  readonly place: string = 'the journal in memory';
  #identity: JournalIdentity | null = null;
  #state: JournalState | null = null;
  /** Ascending by sequence; places before `#front` are trimmed. */
  readonly #records: StoredRecord[] = [];
  #front = 0;
  readonly #index = new Map<string, IndexRow[]>();
  readonly #executions = new Map<string, ExecutionFacts>();
  readonly #sources = new Map<string, StoredSource>();
  /** In the order in which they were stored, which is that of the sequences. */
  readonly #sourceOrder = new Map<number, { readonly key: string; readonly timeMs: number }>();

  load(): { identity: JournalIdentity; state: JournalState } | null {
    return this.#identity === null || this.#state === null ? null : { identity: this.#identity, state: this.#state };
  }

  executions(): Iterable<ExecutionFacts> {
    return this.#executions.values();
  }

  commit(batch: StoreBatch): Promise<void> {
    if (batch.trim !== null) this.#trim(batch.trim.through);
    for (const executionId of batch.executionsForgotten) this.#executions.delete(executionId);
    for (const sequence of batch.sourcesForgotten) this.#forgetSource(sequence);
    for (const record of batch.records) this.#add(record);
    for (const facts of batch.executions) this.#executions.set(facts.executionId, facts);
    for (const { key, source } of batch.sources) {
      this.#sources.set(keyText(key), source);
      this.#sourceOrder.set(source.sequence, { key: keyText(key), timeMs: source.timeMs });
    }
    this.#state = batch.state;
    this.#identity = batch.identity ?? this.#identity;
    return Promise.resolve();
  }

  head(from: number): RecordHead | null {
    const record = this.#records[this.#placeOf(from)];
    if (record === undefined) return null;
    const { sequence, offset, timeMs, bytes } = record;
    return { sequence, offset, timeMs, byteLength: bytes.length };
  }

  record(sequence: number): Uint8Array | null {
    const record = this.#records[this.#placeOf(sequence)];
    return record?.sequence === sequence ? record.bytes : null;
  }

  sequencesOf(executionId: string, after: number, options: { eventsOnly: boolean; limit: number }): number[] {
    const rows = this.#index.get(executionId) ?? [];
    const sequences: number[] = [];
    for (let place = lowerBound(rows, 0, after + 1); place < rows.length; place += 1) {
      const row = rows[place];
      if (row === undefined || sequences.length === options.limit) break;
      if (!(options.eventsOnly && row.isChange)) sequences.push(row.sequence);
    }
    return sequences;
  }

  source(key: SourceKey): StoredSource | null {
    return this.#sources.get(keyText(key)) ?? null;
  }

  oldestSources(limit: number): { sequence: number; timeMs: number }[] {
    const oldest: { sequence: number; timeMs: number }[] = [];
    for (const [sequence, { timeMs }] of this.#sourceOrder) {
      if (oldest.length === limit) break;
      oldest.push({ sequence, timeMs });
    }
    return oldest;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #add(record: StoredRecord): void {
    this.#records.push(record);
    const row = { sequence: record.sequence, isChange: record.isChange };
    const rows = this.#index.get(record.executionId);
    if (rows === undefined) this.#index.set(record.executionId, [row]);
    else rows.push(row);
  }

  #trim(through: number): void {
    const end = this.#placeOf(through + 1);
    for (const { executionId } of this.#records.slice(this.#front, end)) {
      const rows = this.#index.get(executionId);
      rows?.shift();
      if (rows?.length === 0) this.#index.delete(executionId);
    }
    this.#front = end;
    if (this.#front >= compactAt) {
      this.#records.splice(0, this.#front);
      this.#front = 0;
    }
  }

  #forgetSource(sequence: number): void {
    const row = this.#sourceOrder.get(sequence);
    if (row === undefined) return;
    this.#sourceOrder.delete(sequence);
    if (this.#sources.get(row.key)?.sequence === sequence) this.#sources.delete(row.key);
  }

  #placeOf(sequence: number): number {
    return lowerBound(this.#records, this.#front, sequence);
  }
}

/** First place from `front` whose sequence is not below `sequence`. */
function lowerBound(rows: readonly { readonly sequence: number }[], front: number, sequence: number): number {
  let low = front;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = rows[middle];
    if (row !== undefined && row.sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
