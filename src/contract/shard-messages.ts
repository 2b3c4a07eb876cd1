import type { MessagePort } from 'node:worker_threads';
import type { EventId } from '../core/event-id.ts';
import type { ExecutionStatus } from '../core/execution.ts';
import type { Sequence } from '../core/sequence.ts';
import type { ControlAnswer, ControlCall } from './control.ts';
import type { CursorRequest, StreamRefusal } from './stream.ts';
import type { WindowMark } from './window.ts';

/** Names one stream within its shard, for the life of the shard. */
export type SessionKey = number;

/** A mark of the window together with the id that stands there. */
export interface Position extends WindowMark {
  readonly id: EventId;
}

/** A position of the journal without a place in the window. */
export interface JournalPosition {
  readonly sequence: Sequence;
  readonly id: EventId;
}

export type GapReason = 'malformed' | 'expired' | 'unknown_position' | 'overtaken' | 'journal_replaced';

/** What a `gap` frame says. */
export interface Gap {
  readonly reason: GapReason;
  /** What the client asked for, or the position that it had; cut to `gapRequestedCharactersMax`. */
  readonly requested: string | null;
  readonly oldestAvailable: EventId | null;
}

/** Why every open stream goes on elsewhere, and where. */
export interface ViewGap {
  readonly reason: 'overtaken' | 'journal_replaced';
  readonly oldestAvailable: EventId | null;
  readonly resumeAfter: JournalPosition;
}

/** One execution of a value, as of the position of the message that carries it. */
export interface WatchedExecution {
  readonly executionId: string;
  readonly status: ExecutionStatus;
  /** Its events belong to the value from this sequence on; 0 for a value that is the execution itself. */
  readonly since: Sequence;
}

/** The registry owner's answer for one value of `execution_id`. */
export interface ResolvedValue {
  readonly value: string;
  /** False after a change of journal: no record names it any more. Its stream stays open; it may be named again. */
  readonly known: boolean;
  readonly executions: readonly WatchedExecution[];
}

/** The owner's answer to a join, exact as of `at`. The interest was registered at `at` as well. */
export interface Joined {
  readonly kind: 'joined';
  readonly session: SessionKey;
  /** Nothing that the shard watched before lies between its position and here. */
  readonly from: WindowMark;
  readonly at: Position;
  readonly values: readonly ResolvedValue[];
  /** Where the stream starts: everything matching after it is owed. Never above `at`. */
  readonly start: JournalPosition;
  readonly gap: Gap | null;
  /** `earliest`: retention that passes the start before it is read is no gap. */
  readonly fromEarliest: boolean;
  /** The client has a position inside retention and at or above the last terminal change of all it watches: 204 if nothing matches after it. */
  readonly mayBeComplete: boolean;
  /** The same without the condition on the terminal change, for `control_events=false`. */
  readonly mayBeCompletePlain: boolean;
}

/** History of some executions: records in the layout of wire/window-record.ts, transferred. */
export type HistoryOutcome =
  | {
      readonly kind: 'block';
      /** The first `length` bytes are the block. It comes back with `history-spent`, to be used again. */
      readonly bytes: ArrayBuffer;
      readonly length: number;
      /** Everything of the asked executions in (after, through] is in the block. */
      readonly through: JournalPosition;
    }
  /** Retention has passed the start: what is left begins after `resumeAfter`. */
  | { readonly kind: 'too-old'; readonly resumeAfter: JournalPosition; readonly oldestAvailable: EventId | null };

/** Messages to a shard, handled one at a time in order. `at` and `to` never fall from one message to the next. */
export type ShardMessage =
  /** The first. Carries the way up. */
  | { readonly kind: 'start'; readonly up: MessagePort; readonly at: Position }
  | Joined
  /** The answer to a join takes longer: open the stream, keep it alive. */
  | { readonly kind: 'wait'; readonly session: SessionKey }
  | { readonly kind: 'refused'; readonly session: SessionKey; readonly refusal: StreamRefusal }
  | { readonly kind: 'history'; readonly ticket: number; readonly outcome: HistoryOutcome }
  | { readonly kind: 'answer'; readonly call: number; readonly answer: ControlAnswer }
  /** The shard's view of its values is made anew, exact as of `at`; with a gap, every stream also moves. */
  | {
      readonly kind: 'resync';
      readonly at: Position;
      readonly values: readonly ResolvedValue[];
      readonly gap: ViewGap | null;
    }
  /** Ends every stream with `done`, reason `shutdown`. */
  | { readonly kind: 'shutdown' };

/**
 * One Piscina task: the mailbox emptied in one go. The messages come first, in order; then the drain, if an execution of interest has moved.
 * Nothing of interest lies before `drain.from`.
 */
export interface ShardTask {
  readonly messages: readonly ShardMessage[];
  readonly drain: { readonly from: WindowMark; readonly to: Position } | null;
  /** When the oldest thing in it was put into the mailbox, on the monotonic clock of the process. */
  readonly postedMs: number;
}

/** Tasks outside the mailbox: what the owner of the threads asks, not the dispatcher. */
export type ShardErrand<Setup> =
  /** The first task of a thread: makes the shard, answers where its connections are to be handed over. */
  | { readonly errand: 'open'; readonly setup: Setup }
  | { readonly errand: 'metrics' }
  /** Cuts what is left and closes the app, so that the thread may end. The last task. */
  | { readonly errand: 'close' };

export type ShardReply =
  | { readonly kind: 'done' }
  | { readonly kind: 'opened'; readonly descriptor: number }
  | { readonly kind: 'metrics'; readonly metrics: unknown };

/** Messages from a shard to the main thread, over the port of `start`. */
export type ShardReport =
  | {
      readonly kind: 'join';
      readonly session: SessionKey;
      readonly values: readonly string[];
      readonly cursor: CursorRequest;
      readonly address: string;
    }
  /** Exactly one for each join, however it ended. `release`: values that no stream of this shard has any more. */
  | { readonly kind: 'leave'; readonly session: SessionKey; readonly release: readonly string[] }
  | {
      readonly kind: 'read-history';
      readonly ticket: number;
      readonly executionIds: readonly string[];
      readonly after: Sequence;
      /** The shard's position: history is never asked beyond it. */
      readonly until: JournalPosition;
      /** What who asks can take now: less than a block for a socket that stands still. */
      readonly bytesMax: number;
    }
  /** Nobody waits for that block any more. */
  | { readonly kind: 'drop-history'; readonly ticket: number }
  /** Everybody who asked for the block has had it. Transferred. */
  | { readonly kind: 'history-spent'; readonly bytes: ArrayBuffer }
  | { readonly kind: 'call'; readonly call: number; readonly request: ControlCall }
  /** The window has lapped this shard: it needs a `resync`. */
  | { readonly kind: 'lapped' }
  | { readonly kind: 'drained'; readonly streams: number };
