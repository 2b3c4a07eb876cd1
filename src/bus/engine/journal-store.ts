import type { ExecutionFacts } from '../../contract/journal.ts';
import type { EventId, JournalTag } from '../../core/event-id.ts';

/** Who a journal is. Written when it is created and when it takes a new tag. */
export interface JournalIdentity {
  readonly format: 1;
  readonly journalId: string;
  readonly createdMs: number;
  /** Every tag it ever had, by ascending first sequence; the last is the one in use. */
  readonly tags: readonly { readonly tag: JournalTag; readonly first: number }[];
  /** True when a repair may have left holes between the records; without one a missing record is damage. */
  readonly repaired: boolean;
  /** Records up to this sequence were lost to damage, though not all of them: whoever stands below it lacks something behind it. Absent: none. */
  readonly lostThrough?: number;
}

/** How far a journal is. Written with every commit. */
export interface JournalState {
  readonly newestSequence: number;
  readonly newestId: EventId;
  readonly newestMs: number;
  /** Bytes of all records ever appended. */
  readonly totalBytes: number;
  /** The last record that retention took, or the origin (sequence 0). */
  readonly horizonSequence: number;
  readonly horizonId: EventId;
  /** Bytes of all records up to the horizon. */
  readonly horizonBytes: number;
  readonly sources: number;
  readonly sourcesForgotten: number;
  /** Where the age clock stands (retention/age-clock.ts). */
  readonly ageMs: number;
}

export interface StoredRecord {
  readonly sequence: number;
  /** Bytes of all records before this one. */
  readonly offset: number;
  readonly timeMs: number;
  readonly executionId: string;
  readonly isChange: boolean;
  /** The encoded Record. */
  readonly bytes: Uint8Array;
}

export type RecordHead = Pick<StoredRecord, 'sequence' | 'offset' | 'timeMs'> & { readonly byteLength: number };

/** The idempotency key of one record. */
export interface SourceKey {
  readonly executionId: string;
  readonly sourceId: string;
}

export interface StoredSource {
  readonly sequence: number;
  readonly id: EventId;
  readonly timeMs: number;
  /** Of the input as published (idempotency.ts). */
  readonly hash: string;
}

/** All of it happens, or none. Removals come before additions. */
export interface StoreBatch {
  readonly records: readonly StoredRecord[];
  readonly executions: readonly ExecutionFacts[];
  readonly executionsForgotten: readonly string[];
  readonly sources: readonly { readonly key: SourceKey; readonly source: StoredSource }[];
  /** By the sequence under which they were stored. */
  readonly sourcesForgotten: readonly number[];
  /** Records above `after` up to `through` go, with their index. Null: none. */
  readonly trim: { readonly after: number; readonly through: number } | null;
  readonly state: JournalState;
  /** Null: as it is. */
  readonly identity: JournalIdentity | null;
}

/**
 * What a journal engine is, and all it is: it stores, it does not decide. The rules are in journal.ts, once.
 *
 * Trusts: one commit at a time; sequences that rise. Promises: a commit is whole and flushed to stable storage when it resolves, or left no
 * trace when it rejects with AppendError. What is being committed may be visible to reads before: the journal reads no further than it has
 * acknowledged. Reads are synchronous and hold no transaction afterwards; bytes handed out are valid until the next call.
 */
export interface JournalStore {
  /** What messages call it: the path of its file, where there is one. */
  readonly place: string;
  /** Null for a new one. */
  load(): { readonly identity: JournalIdentity; readonly state: JournalState } | null;
  /** At start: the stored executions, in any order. */
  executions(): Iterable<ExecutionFacts>;
  commit(batch: StoreBatch): Promise<void>;
  /** The first record at or above a sequence. */
  head(from: number): RecordHead | null;
  record(sequence: number): Uint8Array | null;
  /** The sequences above `after` of one execution, ascending; at most `limit`. */
  sequencesOf(executionId: string, after: number, options: { eventsOnly: boolean; limit: number }): number[];
  source(key: SourceKey): StoredSource | null;
  /** The oldest keys, at most `limit`: when and under which sequence they were stored. */
  oldestSources(limit: number): { readonly sequence: number; readonly timeMs: number }[];
  close(): Promise<void>;
}
