import type { HistoryOutcome, ShardReport } from '../../contract/shard-messages.ts';
import type { WindowReader } from '../../contract/window.ts';
import type { Clock } from '../../core/clock.ts';
import { catchUpStepsPerTurn, scratchBytes } from '../../core/limits.ts';
import { RecordView } from '../../wire/frame/window-record.ts';
import { type Cursor, copyCursor, cursorAt, cursorId, type Session } from '../stream/session.ts';
import type { Sessions } from '../stream/sessions.ts';
import type { WatchTable } from '../watch.ts';
import { Slicer } from './slicer.ts';

export interface CatchUpDependencies {
  readonly window: WindowReader;
  readonly watch: WatchTable<Session>;
  readonly clock: Clock;
  readonly sessions: Sessions;
  /** The shard's drain position; null while it has been lapped and waits for a new view. */
  readonly target: () => Cursor | null;
  readonly report: (report: ShardReport) => void;
}

/** A slice read from the window, kept for the turn: many streams that come back at once want the same bytes. */
interface Shared {
  readonly bytes: Buffer;
  readonly frames: number;
  readonly end: Cursor;
}

/**
 * Brings sessions from their cursor to the shard's position: from the window while it reaches back that far, else in blocks of history.
 *
 * Fair: a queue, one slice a session and turn, `catchUpStepsPerTurn` steps between two looks at the sockets and the mailbox. Bounded: a session in the queue
 * costs a pointer; bytes exist for one turn only, or for one block of history and the sessions that asked for exactly it.
 */
export class CatchUp {
  readonly #with: CatchUpDependencies;
  readonly #queue: Session[] = [];
  readonly #waiting = new Map<number, Session[]>();
  /** Ticket of the block that is on its way, by group values and position. */
  readonly #tickets = new Map<string, number>();
  readonly #ticketKeys = new Map<number, string>();
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes);
  readonly #view = new RecordView();
  readonly #slicer: Slicer;
  readonly #shared = new Map<string, Shared>();
  #scheduled = false;
  #nextTicket = 1;

  constructor(dependencies: CatchUpDependencies) {
    this.#with = dependencies;
    this.#slicer = new Slicer(dependencies.watch);
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Puts a session that reads (`catching-up` or `deciding`) at the end of the queue. */
  enqueue(session: Session): void {
    if (session.queued || session.historyTicket !== 0) return;
    session.queued = true;
    this.#queue.push(session);
    this.#schedule();
  }

  /** One step at once, for a session that has just joined and most likely has nothing to catch up with. */
  readonly stepNow = (session: Session): void => {
    if (this.#reads(session)) this.#step(session);
  };

  /** A block of history has come: each session that asked for it takes what its filter lets through. */
  onHistory(ticket: number, outcome: HistoryOutcome): void {
    const sessions = this.#waiting.get(ticket) ?? [];
    this.#waiting.delete(ticket);
    const key = this.#ticketKeys.get(ticket);
    this.#ticketKeys.delete(ticket);
    if (key !== undefined) this.#tickets.delete(key);
    const take = (session: Session): void => {
      if (outcome.kind === 'block') this.#takeBlock(session, Buffer.from(outcome.bytes), cursorAt(outcome.through));
      else this.#tooOld(session, outcome);
      if (this.#reads(session)) this.enqueue(session);
    };
    for (const session of sessions) {
      if (session.historyTicket !== ticket) continue;
      session.historyTicket = 0;
      if (this.#reads(session)) this.#with.sessions.contain('history', session, take);
    }
  }

  /** The journal may have changed: nothing that was read before may be used. */
  reset(): void {
    this.#shared.clear();
    this.#tickets.clear();
    this.#ticketKeys.clear();
    this.#waiting.clear();
  }

  /** The session is gone or parked: a block on its way is no longer for it. */
  forget(session: Session): void {
    session.historyTicket = 0;
  }

  #reads(session: Session): boolean {
    return session.state === 'catching-up' || session.state === 'deciding';
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#with.clock.soon(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const steps = Math.min(this.#queue.length, catchUpStepsPerTurn);
    for (const session of this.#queue.splice(0, steps)) {
      session.queued = false;
      this.#with.sessions.contain('catch-up', session, this.stepNow);
    }
    this.#shared.clear();
    if (this.#queue.length > 0) this.#schedule();
  }

  #step(session: Session): void {
    const { sessions, window } = this.#with;
    const target = this.#with.target();
    const cursor = session.cursor;
    // Lapped: the new view puts every reader back into the queue.
    if (target === null || cursor === null) return;
    if (cursor.sequence >= target.sequence) {
      sessions.caughtUp(session);
      return;
    }
    const until = { sequence: target.sequence, offset: target.offset };
    const known = cursor.offset >= window.lowOffset() ? cursor.offset : null;
    const offset = known ?? window.find(cursor.sequence, until);
    if (offset === null) {
      this.#askHistory(session, cursor, target);
      return;
    }
    if (!this.#readWindow(session, cursor, offset, target)) {
      cursor.offset = -1;
    }
    if (this.#reads(session)) this.enqueue(session);
  }

  /** One slice from the window; false when the window has moved past it meanwhile. */
  #readWindow(session: Session, cursor: Cursor, offset: number, target: Cursor): boolean {
    const key = `${session.group.id}:${cursor.sequence}`;
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      // Steps outside a turn share too; the bound holds for them all.
      if (this.#shared.size >= catchUpStepsPerTurn) this.#shared.clear();
      const copy = this.#with.window.copy(offset, target.offset, this.#scratch);
      if (copy.kind === 'overtaken') return false;
      this.#view.attach(this.#scratch, copy.bytes);
      const end: Cursor = { ...cursor };
      const slice = this.#slicer.next(session.group, this.#view, { offset: 0, base: offset, end });
      shared = { bytes: Buffer.from(slice.bytes), frames: slice.frames, end };
      this.#shared.set(key, shared);
    }
    this.#hand(session, shared.bytes, shared.frames, shared.end);
    return true;
  }

  /** A whole block, slice by slice, until the socket has no more room. */
  #takeBlock(session: Session, block: Buffer, through: Cursor): void {
    this.#view.attach(block, block.length);
    const end: Cursor = { ...through };
    const place = { offset: 0, base: -1, end };
    for (;;) {
      const slice = this.#slicer.next(session.group, this.#view, place);
      place.offset = slice.nextOffset;
      const last = slice.nextOffset >= block.length;
      if (!this.#hand(session, slice.bytes, slice.frames, last ? through : end)) return;
      if (last) return;
    }
  }

  /** Sends a slice and moves the cursor behind it. False when the session reads no longer. */
  #hand(session: Session, bytes: Buffer, frames: number, end: Cursor): boolean {
    const { sessions } = this.#with;
    if (frames === 0) {
      if (session.cursor !== null) copyCursor(end, session.cursor);
      return true;
    }
    if (session.state === 'deciding' && !sessions.begin(session, 'owed')) return false;
    return sessions.send(session, bytes, frames, end);
  }

  #tooOld(session: Session, outcome: Extract<HistoryOutcome, { kind: 'too-old' }>): void {
    if (session.cursor === null) return;
    const requested = cursorId(session.cursor);
    copyCursor(cursorAt(outcome.resumeAfter), session.cursor);
    if (session.fromEarliest) return;
    this.#with.sessions.sayGap(session, { reason: 'overtaken', requested, oldestAvailable: outcome.oldestAvailable });
  }

  #askHistory(session: Session, cursor: Cursor, target: Cursor): void {
    const key = `${session.group.valuesKey}@${cursorId(cursor)}`;
    let ticket = this.#tickets.get(key);
    if (ticket === undefined) {
      ticket = this.#nextTicket;
      this.#nextTicket += 1;
      this.#tickets.set(key, ticket);
      this.#ticketKeys.set(ticket, key);
      this.#waiting.set(ticket, []);
      this.#with.report({
        kind: 'read-history',
        ticket,
        executionIds: session.group.executionIds(),
        after: cursor.sequence,
        until: { sequence: target.sequence, id: cursorId(target) },
      });
    }
    session.historyTicket = ticket;
    this.#waiting.get(ticket)?.push(session);
  }
}
