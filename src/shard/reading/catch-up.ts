import type { Transferable } from 'node:worker_threads';
import type { HistoryOutcome, ShardReport } from '../../contract/shard-messages.ts';
import type { WindowReader } from '../../contract/window.ts';
import type { Clock } from '../../core/clock.ts';
import { catchUpStepsPerTurn, catchUpTurnMsMax, scratchBytes, sessionWriteBytesMax } from '../../core/limits.ts';
import { RecordView } from '../../wire/frame/window-record.ts';
import { type Cursor, copyCursor, cursorAt, cursorId, type Session } from '../stream/session.ts';
import type { Sessions } from '../stream/sessions.ts';
import type { WatchTable } from '../watch.ts';
import { HistoryRequests } from './history-requests.ts';
import { Slicer } from './slicer.ts';

export interface CatchUpDependencies {
  readonly window: WindowReader;
  readonly watch: WatchTable<Session>;
  readonly clock: Clock;
  readonly sessions: Sessions;
  /** The shard's drain position; null while it has been lapped and waits for a new view. */
  readonly target: () => Cursor | null;
  readonly report: (report: ShardReport, transfer?: readonly Transferable[]) => void;
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
 * Fair: a queue, one slice or block a session and turn, `catchUpStepsPerTurn` steps or `catchUpTurnMsMax` between two looks at the sockets and the mailbox.
 * Bounded: a session in the queue costs a pointer; bytes exist for one turn only, or for `historyReadsMax` blocks of history and the sessions that asked for exactly those.
 */
export class CatchUp {
  readonly #with: CatchUpDependencies;
  readonly #queue: Session[] = [];
  readonly #history: HistoryRequests;
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes);
  readonly #view = new RecordView();
  readonly #slicer: Slicer;
  readonly #shared = new Map<string, Shared>();
  /** What the shared slices stand in: `catchUpStepsPerTurn` buffers at most. */
  readonly #kept: Buffer[] = [];
  #scheduled = false;

  constructor(dependencies: CatchUpDependencies) {
    this.#with = dependencies;
    this.#slicer = new Slicer(dependencies.watch);
    this.#history = new HistoryRequests(dependencies.report);
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

  /** A block of history has come: each session that asked for it takes what its filter lets through, when it is its turn. */
  onHistory(ticket: number, outcome: HistoryOutcome): void {
    this.#history.arrived(ticket, outcome);
    this.#schedule();
  }

  /** One session of the oldest block takes it; false when there is none. */
  #stepArrived(): boolean {
    return this.#history.handOut((session, outcome) => {
      if (!this.#reads(session)) return;
      this.#with.sessions.contain('history', session, () => {
        if (outcome.kind === 'block') this.#takeBlock(session, outcome);
        else this.#tooOld(session, outcome);
        if (this.#reads(session)) this.enqueue(session);
      });
    });
  }

  /** The journal may have changed: nothing that was read before may be used. */
  reset(): void {
    this.#shared.clear();
    this.#history.reset();
  }

  /** The session is gone or moved: a block on its way is no longer for it, and one that nobody else waits for need not be read. */
  forget(session: Session): void {
    if (this.#history.forget(session)) this.#schedule();
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
    const { clock, sessions } = this.#with;
    const untilMs = clock.monotonicMs() + catchUpTurnMsMax;
    // Who is in the queue now; whoever has had its step stands at the end again.
    let waiting = this.#queue.length;
    for (let steps = 0; steps < catchUpStepsPerTurn && clock.monotonicMs() < untilMs; steps += 1) {
      // In turns: blocks are not to wait for the window, nor the window for blocks.
      if (steps % 2 === 0 && this.#stepArrived()) continue;
      if (waiting === 0) {
        if (!this.#stepArrived()) break;
        continue;
      }
      waiting -= 1;
      const session = this.#queue.shift();
      if (session === undefined) break;
      session.queued = false;
      sessions.contain('catch-up', session, this.stepNow);
    }
    this.#shared.clear();
    this.#admit();
    if (this.#queue.length > 0 || this.#history.here) this.#schedule();
  }

  /** Those that waited for room ask before anybody who has just had a block, or they would wait for as long as eight readers go on. */
  #admit(): void {
    const admitted = this.#history.admitted();
    for (const session of admitted) session.queued = true;
    this.#queue.unshift(...admitted);
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
      this.#history.ask(session, cursor, target);
      return;
    }
    if (!this.#readWindow(session, cursor, offset, target)) {
      cursor.offset = -1;
    }
    if (!this.#reads(session)) return;
    // Within the turn that got it there: a drain before the next one would put it behind again, and so on for as long as events come.
    if (cursor.sequence >= target.sequence) sessions.caughtUp(session);
    else this.enqueue(session);
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
      shared = { bytes: this.#keep(slice.bytes), frames: slice.frames, end };
      this.#shared.set(key, shared);
    }
    this.#hand(session, shared.bytes, shared.frames, shared.end);
    return true;
  }

  /** A copy that lasts until the shared slices are dropped. The buffers are used again: fresh ones would be 32 MB of garbage before V8 looks at them. */
  #keep(bytes: Buffer): Buffer {
    const index = this.#shared.size;
    let kept = this.#kept[index];
    if (kept === undefined || kept.length < bytes.length) {
      kept = Buffer.allocUnsafeSlow(Math.max(bytes.length, sessionWriteBytesMax));
      this.#kept[index] = kept;
    }
    bytes.copy(kept);
    return kept.subarray(0, bytes.length);
  }

  /** A whole block, slice by slice, until the socket has no more room. */
  #takeBlock(session: Session, outcome: Extract<HistoryOutcome, { kind: 'block' }>): void {
    const through = cursorAt(outcome.through);
    this.#view.attach(Buffer.from(outcome.bytes), outcome.length);
    const end: Cursor = { ...through };
    const place = { offset: 0, base: -1, end };
    for (;;) {
      const slice = this.#slicer.next(session.group, this.#view, place);
      place.offset = slice.nextOffset;
      const last = slice.nextOffset >= outcome.length;
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
}
