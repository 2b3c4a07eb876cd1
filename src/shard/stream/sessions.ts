import type { Gap, SessionKey } from '../../contract/shard-messages.ts';
import type { DisconnectReason, EndReason, FaultPlace, ShardObserver } from '../../contract/shard-observer.ts';
import type { Clock } from '../../core/clock.ts';
import { parkedNudgeMs } from '../../core/limits.ts';
import { heartbeat } from '../../wire/frame/sse-frame.ts';
import type { GroupTable } from '../group.ts';
import { park } from '../reading/delivery.ts';
import { allOver, type WatchTable } from '../watch.ts';
import { doneFrame, gapFrame, readyFrame } from './control-frames.ts';
import { type Cursor, copyCursor, type Session } from './session.ts';
import type { SessionState } from './session-state.ts';
import { note } from './slow-client.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface SessionsDependencies {
  readonly watch: WatchTable<Session>;
  readonly groups: GroupTable;
  readonly observer: ShardObserver;
  readonly clock: Clock;
  /** 0 ≤ n < 1; spreads the reconnections after a shutdown. */
  readonly random: () => number;
  /** The shard's drain position: the cursor of every live session. */
  readonly position: () => Cursor;
  /** A sign of life: ending thousands of streams of a large tag is one long task. */
  readonly beat: () => void;
  readonly onFault: (what: FaultPlace, fault: unknown) => void;
  /** A session is closed, however that came about; called once for each. */
  readonly onClosed: (session: Session) => void;
}

/** How late a heartbeat, a nudge or a time-out may be: the width of a slot of the wheel, and the time between two turns of it. */
export const sweepPeriodMs = 250;
/** Every session is looked at once in `parkedNudgeMs`; one slot more is the one that the hand is on. */
const wheelSlots = Math.ceil(parkedNudgeMs / sweepPeriodMs) + 1;

/** Reconnections after a shutdown are spread over this time, from 1 s on. */
const shutdownRetryMs = { least: 1_000, spread: 4_000 };

/** The streams of a shard, and everything that writes to one of them but the drain. */
export class Sessions {
  readonly byKey = new Map<SessionKey, Session>();
  /** Every one of them, by when it is to be looked at (sweep.ts). */
  readonly wheel: TimerWheel<Session>;
  readonly #with: SessionsDependencies;

  constructor(dependencies: SessionsDependencies) {
    this.#with = dependencies;
    this.wheel = new TimerWheel(sweepPeriodMs, wheelSlots, dependencies.clock.monotonicMs());
  }

  add(session: Session): void {
    this.byKey.set(session.key, session);
    this.wheel.put(session, this.#with.clock.monotonicMs());
  }

  countByState(): Record<Exclude<SessionState, 'closed'>, number> {
    const counts = { joining: 0, waiting: 0, deciding: 0, 'catching-up': 0, parked: 0, live: 0 };
    for (const session of this.byKey.values()) {
      if (session.state !== 'closed') counts[session.state] += 1;
    }
    return counts;
  }

  /** 200 and the first bytes, for a stream whose owner needs longer: the answer is not here yet, so there is no `ready`. */
  openWaiting(session: Session): void {
    session.advance('wait');
    this.#settle(session, session.socket.open(heartbeat), heartbeat.length);
  }

  /** `ready` and, if there is one, the gap: as the first bytes of the response or, for one that waited, as its next. Answers whether it reads on. */
  begin(session: Session, event: 'answered' | 'owed'): boolean {
    const opened = session.state === 'waiting';
    const frames: Buffer[] = [];
    if (session.controlEvents) frames.push(readyFrame(session, this.#with.watch));
    if (session.gap !== null) frames.push(...this.#takeGap(session));
    if (frames.length === 0) frames.push(heartbeat);
    const first = frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames);
    session.advance(event);
    this.#settle(session, opened ? session.socket.write(first) : session.socket.open(first), first.length);
    return session.state === 'catching-up';
  }

  /** Part of what a stream was owed is gone; its cursor stands where it goes on. Said at once, or before anything else when its socket drains. */
  sayGap(session: Session, gap: Gap): void {
    session.gap = gap;
    if (session.state === 'deciding') {
      this.begin(session, 'owed');
      return;
    }
    if (!session.open || session.blockedSinceMs > 0) return;
    const frames = this.#takeGap(session);
    for (const frame of frames) this.#settle(session, session.socket.write(frame), frame.length);
  }

  /** Writes whole frames; the cursor moves to `end`. False when that parked it. */
  send(session: Session, bytes: Buffer, frames: number, end: Cursor): boolean {
    this.#with.observer.delivered(frames, bytes.length);
    if (session.cursor !== null) copyCursor(end, session.cursor);
    session.fromEarliest = false;
    this.#settle(session, session.socket.write(bytes), bytes.length);
    return session.state === 'catching-up';
  }

  heartbeat(session: Session): void {
    this.#settle(session, session.socket.heartbeat(), 'certain');
  }

  /** Keeps the response of a socket that owes us a drain alive. True when what it held has left by now: the stream may read on. */
  nudge(session: Session): boolean {
    const nowMs = this.#with.clock.monotonicMs();
    const wasBlocked = session.blockedSinceMs > 0;
    session.nudgedMs = nowMs;
    const outcome = session.socket.nudge();
    if (!wasBlocked || session.state === 'closed') {
      this.#settle(session, outcome, 'certain');
      return false;
    }
    note(session, outcome === 'flushed' ? 'certainly-flushed' : outcome, nowMs);
    if (outcome === 'buffered') return false;
    session.advance('drained');
    this.#sayWaitingGap(session);
    return true;
  }

  /** The socket has room again: something must be written, and a gap that waited comes first. */
  writable(session: Session): void {
    note(session, 'writable', this.#with.clock.monotonicMs());
    session.advance('drained');
    // A gap that is only counted writes nothing, and then uWebSockets.js would not empty its buffer.
    if (!this.#sayWaitingGap(session)) this.heartbeat(session);
  }

  #sayWaitingGap(session: Session): boolean {
    const frames = session.cursor === null ? [] : this.#takeGap(session);
    for (const frame of frames) this.#settle(session, session.socket.write(frame), frame.length);
    return frames.length > 0;
  }

  /** From the shard's position on it stands in the index; or it ends, if nothing more can come. */
  caughtUp(session: Session): void {
    if (session.state === 'deciding') {
      if (this.complete(session)) {
        session.socket.refuse({ kind: 'no-content' });
        this.close(session, 'no_content');
        return;
      }
      // A tag has got an execution that runs while this was being decided.
      if (!this.begin(session, 'owed')) return;
    }
    session.fromEarliest = false;
    if (this.complete(session)) {
      this.end(session, 'executions_terminal');
      return;
    }
    session.advance('caught-up');
    session.cursor = null;
    this.#with.groups.join(session);
  }

  /** Every execution it watches is over, as of the shard's position. */
  complete(session: Session): boolean {
    return !session.keepOpen && allOver(session.group.values);
  }

  /** `done` with the session's position, and the end of the response. */
  end(session: Session, reason: EndReason): void {
    this.settleCursor(session);
    let last: Buffer = Buffer.alloc(0);
    if (session.controlEvents) {
      const retry = shutdownRetryMs.least + Math.floor(this.#with.random() * shutdownRetryMs.spread);
      const frames = session.gap === null ? [] : this.#takeGap(session);
      frames.push(doneFrame(session, this.#with.watch, reason, reason === 'shutdown' ? retry : null));
      last = Buffer.concat(frames);
    }
    session.socket.end(last);
    this.close(session, reason);
  }

  /** Every stream at once, in order: `done` where one is open, a refusal where nothing has been sent. */
  endAll(): void {
    const end = (session: Session): void => {
      if (session.open) {
        this.end(session, 'shutdown');
      } else {
        session.socket.refuse({ kind: 'shutting-down' });
        this.close(session, 'refused');
      }
    };
    for (const session of [...this.byKey.values()]) {
      this.contain('shutdown', session, end);
      this.#with.beat();
    }
  }

  /** Gives a live session a cursor of its own, at the shard's position. */
  settleCursor(session: Session): void {
    if (session.state !== 'live') return;
    const position = this.#with.position();
    session.cursor = { ...position };
  }

  /** Bookkeeping of an end by us. The socket has been answered already. */
  close(session: Session, reason: EndReason): void {
    this.#with.observer.ended(reason);
    this.#forget(session, 'ended');
  }

  /** The client has gone, or is cut off. */
  disconnect(session: Session, reason: DisconnectReason): void {
    if (session.state === 'closed') return;
    this.#with.observer.disconnected(reason);
    try {
      this.#forget(session, reason === 'client' ? 'gone' : 'ended');
    } finally {
      // Whatever else went wrong: a client whose stream has no session any more must not go on waiting.
      if (reason !== 'client') session.socket.abort();
    }
  }

  /** Runs a step of one stream. What it throws costs that stream, and no other that has its turn after it. */
  contain(what: FaultPlace, session: Session, step: (session: Session) => void): void {
    try {
      step(session);
    } catch (fault) {
      this.failed(what, session, fault);
    }
  }

  /** Never throws: whoever calls has other streams to turn to. */
  failed(what: FaultPlace, session: Session, fault: unknown): void {
    this.failedTogether(what, [session], fault);
  }

  /** One fault that costs several streams: told once. */
  failedTogether(what: FaultPlace, sessions: readonly Session[], fault: unknown): void {
    this.#with.onFault(what, fault);
    for (const session of sessions) {
      try {
        this.disconnect(session, 'failure');
      } catch (second) {
        this.#with.onFault(what, second);
      }
    }
  }

  #forget(session: Session, event: 'ended' | 'gone'): void {
    if (session.state === 'closed') return;
    session.advance(event);
    this.byKey.delete(session.key);
    this.wheel.remove(session);
    try {
      this.#with.groups.leave(session);
    } finally {
      this.#with.onClosed(session);
    }
  }

  #takeGap(session: Session): Buffer[] {
    const gap = session.gap;
    if (gap === null) return [];
    this.#with.observer.gap(gap.reason);
    const frame = gapFrame(session);
    session.gap = null;
    return session.controlEvents ? [frame] : [];
  }

  /** After every write but those of the drain: it is noted, and the session parks if it did not go out. */
  #settle(session: Session, outcome: 'flushed' | 'buffered', bytes: number | 'certain'): void {
    const nowMs = this.#with.clock.monotonicMs();
    if (outcome === 'buffered') note(session, 'buffered', nowMs);
    else if (bytes === 'certain') note(session, 'certainly-flushed', nowMs);
    else note(session, 'flushed', nowMs, bytes);
    if (outcome === 'flushed' || session.state === 'closed') return;
    this.#with.observer.parked();
    if (session.state === 'waiting') return;
    this.settleCursor(session);
    park(session, session.cursor ?? this.#with.position(), this.#with.groups);
  }
}
