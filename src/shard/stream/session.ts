import type { Gap, JournalPosition, SessionKey } from '../../contract/shard-messages.ts';
import type { StreamSocket } from '../../contract/stream.ts';
import { assert } from '../../core/assert.ts';
import { type EventId, eventIdParts, formatEventId, type JournalTag } from '../../core/event-id.ts';
import type { Sequence } from '../../core/sequence.ts';
import type { Group } from '../group.ts';
import { type SessionEvent, type SessionState, sessionTransitions } from './session-state.ts';
import type { SocketFacts } from './slow-client.ts';
import type { WheelItem, WheelLink } from './timer-wheel.ts';

/** A place in the journal as numbers: what a cursor costs. */
export interface Cursor {
  sequence: Sequence;
  timeMs: number;
  tag: JournalTag;
  /** Where the window goes on after it; -1 when not known. */
  offset: number;
}

export function cursorAt(position: JournalPosition, offset = -1): Cursor {
  const { timeMs, tag } = eventIdParts(position.id);
  return { sequence: position.sequence, timeMs, tag, offset };
}

export function cursorId(cursor: Cursor): EventId {
  return formatEventId(cursor.timeMs, cursor.sequence, cursor.tag);
}

export function copyCursor(from: Cursor, to: Cursor): void {
  to.sequence = from.sequence;
  to.timeMs = from.timeMs;
  to.tag = from.tag;
  to.offset = from.offset;
}

export interface SessionOptions {
  readonly keepOpen: boolean;
  readonly controlEvents: boolean;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
}

/** One stream. Everything of it lives on the thread of its shard. */
export class Session implements SocketFacts, WheelItem {
  readonly key: SessionKey;
  readonly socket: StreamSocket;
  readonly group: Group;
  readonly keepOpen: boolean;
  readonly controlEvents: boolean;
  readonly deadlineMs: number;
  state: SessionState = 'joining';
  /**
   * Everything matching up to here has been handed to the socket. null until the owner has answered, and while the session is live: then it is the shard's
   * drain position.
   */
  cursor: Cursor | null = null;
  /** Said before anything else is written. */
  gap: Gap | null = null;
  /** Its start was `earliest` and nothing has been read yet: retention passing it is no gap. */
  fromEarliest = false;
  /** Place in `group.members` while live; -1 otherwise. */
  memberIndex = -1;
  /** The block of history that it waits for; 0 for none. */
  historyTicket = 0;
  /** What it wants of the journal while no more blocks may be asked for; empty for nothing. */
  historyWish = '';
  /** The owner has not answered its join. */
  unanswered = true;
  /** It stands in the queue of the catch-up. */
  queued = false;
  /** Before anything was written: when it came, and then when the owner answered, for the patience of `deciding`. */
  lastWriteMs: number;
  unsureBytes = 0;
  blockedSinceMs = 0;
  owed = false;
  nudgedMs = 0;
  wheelBefore: WheelLink | null = null;
  wheelAfter: WheelLink | null = null;

  constructor(key: SessionKey, socket: StreamSocket, group: Group, options: SessionOptions, nowMs: number) {
    this.key = key;
    this.socket = socket;
    this.group = group;
    this.keepOpen = options.keepOpen;
    this.controlEvents = options.controlEvents;
    this.deadlineMs = options.deadlineMs;
    this.lastWriteMs = nowMs;
  }

  /** The one place where a session changes its state. */
  advance(event: SessionEvent): SessionState {
    const next = sessionTransitions[this.state][event];
    assert(next !== null, `a ${this.state} session cannot have '${event}'`);
    this.state = next;
    return next;
  }

  get open(): boolean {
    return this.state !== 'joining' && this.state !== 'deciding' && this.state !== 'closed';
  }
}
