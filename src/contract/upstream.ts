import type { StorageEventInput } from '../core/event.ts';
import type { EventId, JournalTag } from '../core/event-id.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import type { Sequence } from '../core/sequence.ts';
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
