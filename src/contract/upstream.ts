import type { StorageEventInput } from '../core/event.ts';
import type { EventId, JournalTag } from '../core/event-id.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import type { Sequence } from '../core/sequence.ts';
import type { ExecutionFacts } from './journal.ts';
import type { HistoryOutcome, JournalPosition } from './shard-messages.ts';

/** What the bus says of its journal. */
export interface JournalDescription {
  readonly journalId: string;
  readonly journalTag: JournalTag;
  readonly origin: JournalPosition;
  /** null: nothing is kept. */
  readonly oldest: JournalPosition | null;
  readonly newest: JournalPosition;
  readonly placement: CursorPlacement | null;
}

export interface CursorPlacement {
  readonly verdict: 'placed' | 'expired' | 'unknown-position' | 'malformed';
  readonly at: JournalPosition;
}

export type PublishEntry =
  | { readonly kind: 'event'; readonly event: StorageEventInput }
  | {
      readonly kind: 'change';
      readonly executionId: string;
      readonly status: ExecutionStatus | null;
      readonly tags: readonly string[];
      readonly reason: string | null;
    };

export interface PublishReceipt {
  readonly ids: readonly EventId[];
  readonly lastSequence: Sequence;
}

export interface HistoryRequest {
  readonly executionIds: readonly string[];
  readonly after: Sequence;
  readonly until: Sequence;
}

/**
 * What the dispatcher may ask of the bus. Each call has its own deadline and rejects with BusError.
 */
export interface BusCalls {
  publish(entries: readonly PublishEntry[]): Promise<PublishReceipt>;
  /** `cursor`: also say where it stands. */
  describe(cursor: string | null, deadlineMs: number): Promise<JournalDescription>;
  history(request: HistoryRequest): Promise<HistoryOutcome>;
}

/** How a new view of the journal came about: a gap says why part of it is gone for everybody. */
export interface ViewChange {
  /** Where the window begins anew. */
  readonly start: JournalPosition;
  readonly gap: { readonly reason: 'overtaken' | 'journal_replaced'; readonly oldestAvailable: EventId | null } | null;
}

/**
 * Where the upstream hands over what it receives. All calls come on the main thread, in journal order.
 */
export interface UpstreamSink {
  /** One encoded RecordBatch (proto), valid during the call. */
  batch(bytes: Buffer): void;
  /** Facts of executions, as of a sequence at or above anything handed over before. `reset`: they replace all that was known. */
  executions(snapshot: ExecutionSnapshot): void;
  forgotten(executionIds: readonly string[]): void;
  /** The window starts anew behind `start`. Comes after the snapshot that belongs to it. */
  view(change: ViewChange): void;
  /** Everything that the bus had when it was last described is in the window: the first fill is complete. */
  filled(): void;
  connected(connected: boolean): void;
  described(journal: JournalDescription): void;
}

export interface ExecutionSnapshot {
  readonly executions: readonly ExecutionFacts[];
  readonly asOf: Sequence;
  readonly reset: boolean;
}

/** The flow control of the stream from the bus. */
export interface UpstreamFlow {
  hold(): void;
  release(): void;
}
