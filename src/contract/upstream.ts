import type { StorageEventInput } from '../core/event.ts';
import type { EventId, JournalTag } from '../core/event-id.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import type { Sequence } from '../core/sequence.ts';
import type { ExecutionFacts } from './journal.ts';
import type { HistoryOutcome, JournalPosition, ViewGap } from './shard-messages.ts';

/** What the bus says of its journal. */
export interface JournalDescription {
  readonly journalId: string;
  readonly journalTag: JournalTag;
  readonly origin: JournalPosition;
  /** null: nothing is kept. */
  readonly oldest: JournalPosition | null;
  readonly newest: JournalPosition;
  readonly retainedBytes: number;
  /** The first record that the bus found missing or unreadable; null: none that it knows of. */
  readonly damagedSequence: Sequence | null;
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
  /** Whether the acknowledging journal is the one that this router's view is of, now; what cannot be told within `waitMs` counts as no. Never rejects. */
  readonly isOfView: (waitMs: number) => Promise<boolean>;
}

export interface HistoryRequest {
  readonly executionIds: readonly string[];
  readonly after: Sequence;
  readonly until: JournalPosition;
  readonly bytesMax: number;
}

/**
 * What the dispatcher may ask of the bus. Each call has its own deadline and rejects with BusError.
 */
export interface BusCalls {
  publish(entries: readonly PublishEntry[]): Promise<PublishReceipt>;
  /** `cursor`: also say where it stands. */
  describe(cursor: string | null, deadlineMs: number): Promise<JournalDescription>;
  /** `unwanted` aborted: nobody waits for it any more; the call is cancelled at the bus, and it rejects. */
  history(request: HistoryRequest, unwanted: AbortSignal): Promise<HistoryOutcome>;
  /** The memory of a block that nobody needs any more. */
  giveBack(bytes: ArrayBuffer): void;
}

/** How a new view of the journal came about: a gap says why part of it is gone for everybody. */
export interface ViewChange {
  /** Where the window begins anew. */
  readonly start: JournalPosition;
  /** The registry as of a sequence that the window reaches before anything is answered, in place of all that was known. */
  readonly executions: readonly ExecutionFacts[];
  /** null at the first start: nobody was there. */
  readonly gap: ViewGap | null;
}

/**
 * Where the upstream hands over what it receives. All calls come on the main thread, in journal order.
 */
export interface UpstreamSink {
  /** One encoded RecordBatch (proto), valid during the call. Answers the position after it. */
  batch(bytes: Buffer): JournalPosition;
  /** Executions that the registry of the bus has forgotten. */
  forgotten(executionIds: readonly string[]): void;
  /** After a reconnection: what was there at `asOf`. Anything older that is not in it was forgotten meanwhile. */
  present(executionIds: ReadonlySet<string>, asOf: Sequence): void;
  /** Window and registry start anew. */
  view(change: ViewChange): void;
  /** Everything that the bus had when it was last described is in the window: the first fill is complete. */
  filled(): void;
  connected(connected: boolean): void;
  described(journal: JournalDescription): void;
}

/** The flow control of the stream from the bus. */
export interface UpstreamFlow {
  hold(): void;
  release(): void;
}
