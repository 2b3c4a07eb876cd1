import type { Cancel } from '../core/clock.ts';
import type { StorageEventInput } from '../core/event.ts';
import type { EventId, JournalTag } from '../core/event-id.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import type { JournalDamagedError } from '../core/failure.ts';
import type { Sequence } from '../core/sequence.ts';

/** One entry of a publish, as it came: nothing stamped, nothing computed. */
export type JournalEntry =
  | { readonly kind: 'event'; readonly event: StorageEventInput }
  | {
      readonly kind: 'change';
      readonly executionId: string;
      /** Null leaves the status as it is. */
      readonly status: ExecutionStatus | null;
      /** Tags to add; those it has already are no change. */
      readonly tags: readonly string[];
      /** Kept with a change of status; '' is none. */
      readonly reason: string;
    };

/** One event of a plain request, as far as the rules need it. */
export interface PlainEvent {
  /** Lower case. */
  readonly executionId: string;
  /** 0: none was given. */
  readonly size: number;
  /** As it is stored; '': none was given. */
  readonly time: string;
}

/**
 * Events that were judged on the bytes of their request (wire/plain/): without fault, without a source_id, so that appending them cannot be
 * refused. Their records are all but written.
 */
export interface PlainEvents {
  readonly kind: 'plain-events';
  readonly length: number;
  at(index: number): PlainEvent;
  /** The encoded Record of the event at an index; `time` is for one that brought none. */
  record(index: number, sequence: number, id: EventId, time: string): Uint8Array;
}

/** What one append takes: at least one entry. */
export type JournalInput = readonly JournalEntry[] | PlainEvents;

export interface AppendReceipt {
  /** One per entry, in order. */
  readonly ids: readonly EventId[];
  /** The greatest sequence that the batch is durable at. */
  readonly lastSequence: Sequence;
}

/** What is known of one execution, as of the last record that named it. Times in ms since the epoch; sequence 0 and '' mean none. */
export interface ExecutionFacts {
  readonly executionId: string;
  readonly status: ExecutionStatus;
  /** In the order in which they were added. */
  readonly tags: readonly TagFact[];
  readonly reason: string;
  readonly createdSequence: number;
  readonly createdMs: number;
  /** Last change of the status; for a terminal one its terminal change. 0: known by events or tags alone. */
  readonly statusSequence: number;
  readonly lastChangeSequence: number;
  /** Known to the bus only; '' in a router. */
  readonly lastChangeId: string;
  readonly lastEventSequence: number;
  readonly events: number;
  /** Sum of the `size` of its events. */
  readonly bytes: number;
  /** Events after the terminal status. */
  readonly lateEvents: number;
  /** `time` of its first and last event in journal order, RFC 3339. */
  readonly firstEventTime: string;
  readonly lastEventTime: string;
  /** Append time of the last record that named it, and that record's id. */
  readonly changedMs: number;
  readonly lastId: string;
}

export interface TagFact {
  readonly tag: string;
  /** Event n belongs to the tag if this is at most n. */
  readonly sequence: number;
}

/** Who and where a journal is. A value: it does not change after it was answered. */
export interface JournalDescription {
  readonly journalId: string;
  readonly tag: JournalTag;
  readonly createdMs: number;
  /** Stands before the first record: (created, sequence 0, tag). */
  readonly originId: EventId;
  /** 0: no record is kept. */
  readonly oldestSequence: Sequence;
  readonly oldestId: EventId | '';
  /** The last record that is flushed, kept or not. */
  readonly newestSequence: Sequence;
  readonly newestId: EventId;
  /** Where reading can start: the last record that retention took, or the origin. */
  readonly horizonSequence: Sequence;
  readonly horizonId: EventId;
  readonly retainedBytes: number;
  readonly retentionAgeMs: number;
  readonly retentionBytes: number;
  /** The first record that reading found missing or unreadable; 0: none that is known of. */
  readonly damagedSequence: Sequence;
}

export type CursorVerdict = 'placed' | 'expired' | 'unknown-position' | 'malformed';

/** Where a cursor stands. Read on after `sequence`, whose record has the id `id`. */
export interface CursorPlacement {
  readonly verdict: CursorVerdict;
  readonly sequence: Sequence;
  readonly id: EventId;
}

export interface ReadRange {
  /** Exclusive. */
  readonly after: Sequence;
  /** Inclusive; what is not flushed is never read. */
  readonly until: Sequence;
  /** Null: every record, else those of these executions. */
  readonly executionIds: readonly string[] | null;
  readonly eventsOnly: boolean;
  /** At least one record is read however large it is. */
  readonly limitBytes: number;
  readonly limitRecords: number;
}

export type ReadResult =
  /** Every matching record up to `through` was handed out; `throughId` is '' where a repair left a hole. */
  | { readonly kind: 'read'; readonly records: number; readonly through: Sequence; readonly throughId: EventId | '' }
  /** A record after `range.after` is gone; the oldest that is kept. */
  | { readonly kind: 'trimmed'; readonly oldest: Sequence };

export interface ExecutionsChange {
  readonly asOf: Sequence;
  readonly changed: readonly ExecutionFacts[];
  readonly forgotten: readonly string[];
}

export interface JournalStats {
  readonly records: number;
  readonly executions: number;
  readonly sources: number;
  /** Idempotency keys forgotten because there were too many, ever. */
  readonly sourcesForgotten: number;
  readonly executionsForgotten: number;
  readonly commits: number;
  readonly pendingAppends: number;
  readonly pendingBytes: number;
  /** True while the clock stands more than a day ahead of what this journal has lived through: age retention is held back. */
  readonly clockAlarm: boolean;
}

/**
 * The durable, totally ordered log of storage events and execution changes.
 *
 * Trusts: entries whose execution ids are any case, nothing else about them; a clock that may jump. Promises: a batch is appended whole or
 * not at all; ids rise strictly, over restarts too; nothing is acknowledged, read, described or told to a listener before it is flushed;
 * terminal is final. Every engine passes test/contract/event-journal.contract.ts.
 */
export interface EventJournal {
  /**
   * Rejects with InvalidInputError (fields begin with `entries`, index) or AppendError; then nothing of the batch was stored.
   * `bytes` is the encoded size of the request, for the bounds.
   */
  append(entries: JournalInput, bytes: number): Promise<AppendReceipt>;
  describe(): JournalDescription;
  place(cursor: string): Promise<CursorPlacement>;
  /** The id at a sequence from horizon to newest; null where no record is kept. */
  idAt(sequence: Sequence): Promise<EventId | null>;
  /** True for a tag that this journal stamps now or ever stamped. */
  hasTag(tag: JournalTag): boolean;
  /** The position after which about the newest `bytes` bytes of records follow. Cost: a binary search. */
  beforeLastBytes(bytes: number): Promise<Sequence>;
  /** Hands each record's encoded bytes to `take`, in order; they are valid during that call only. Cost: what matches, plus a seek per execution. */
  /** Rejects with JournalDamagedError when the very next record is missing; what lies before such a place is read. */
  read(range: ReadRange, take: (record: Uint8Array) => void): Promise<ReadResult>;
  execution(executionId: string): ExecutionFacts | undefined;
  /** All executions as of one sequence; the facts never change afterwards. Cost: one reference each. */
  executions(): { readonly asOf: Sequence; readonly facts: readonly ExecutionFacts[] };
  /** After each flush that appended something. The listener must not throw. */
  onAdvance(listener: () => void): Cancel;
  /** Once for each place that a read finds damaged. The listener must not throw. */
  onDamage(listener: (damage: JournalDamagedError) => void): Cancel;
  onExecutions(listener: (change: ExecutionsChange) => void): Cancel;
  /** One step of retention, bounded; true when there is more to do. */
  sweep(): Promise<boolean>;
  stats(): JournalStats;
  /** Waits for what was accepted, then closes. Later appends fail with `journal-closed`. */
  close(): Promise<void>;
}
