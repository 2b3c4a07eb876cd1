import type { Joined, SessionKey, ShardMessage, ShardReport } from '../contract/shard-messages.ts';
import type { StreamRequest, StreamSocket } from '../contract/stream.ts';
import type { Clock } from '../core/clock.ts';
import { shardRequestsMax } from '../core/limits.ts';
import { GroupTable } from './group.ts';
import type { CatchUp } from './reading/catch-up.ts';
import { cursorAt, Session } from './stream/session.ts';
import type { Sessions } from './stream/sessions.ts';
import type { WatchTable } from './watch.ts';

export interface JoinsDependencies {
  readonly watch: WatchTable<Session>;
  readonly groups: GroupTable;
  readonly sessions: Sessions;
  readonly catchUp: CatchUp;
  readonly clock: Clock;
  readonly report: (report: ShardReport) => void;
}

/**
 * The shard's side of the join protocol (docs/ARCHITECTURE.md, "Join"): references on values and group are taken with the `join` and given back with
 * the one `leave` that follows it, however the stream ended (invariant S4).
 */
export class Joins {
  readonly #with: JoinsDependencies;
  #nextKey: SessionKey = 1;
  #unanswered = 0;

  constructor(dependencies: JoinsDependencies) {
    this.#with = dependencies;
  }

  get full(): boolean {
    return this.#unanswered >= shardRequestsMax;
  }

  begin(request: StreamRequest, socket: StreamSocket): Session {
    const { watch, groups, sessions, clock, report } = this.#with;
    const nowMs = clock.monotonicMs();
    const watched = request.values.map((value) => watch.retain(value));
    const group = groups.retain(GroupTable.keyOf(request.values, request.filter), watched, request.filter);
    const { keepOpen, controlEvents, values, cursor, address } = request;
    const options = { keepOpen, controlEvents, deadlineMs: nowMs + request.timeoutMs };
    const session = new Session(this.#nextKey, socket, group, options, nowMs);
    this.#nextKey += 1;
    this.#unanswered += 1;
    sessions.add(session);
    report({ kind: 'join', session: session.key, values, cursor, address });
    return session;
  }

  /** The owner needs longer. */
  wait(key: SessionKey): void {
    const session = this.#with.sessions.byKey.get(key);
    if (session?.state === 'joining') this.#with.sessions.openWaiting(session);
  }

  /** The shard stands exactly at the answer's position. */
  answer(message: Joined): void {
    const { sessions } = this.#with;
    const session = sessions.byKey.get(message.session);
    if (session === undefined) return;
    sessions.contain('joined', session, () => {
      this.#admit(session, message);
    });
  }

  refuse(message: Extract<ShardMessage, { kind: 'refused' }>): void {
    const { sessions } = this.#with;
    const session = sessions.byKey.get(message.session);
    if (session === undefined) return;
    this.#answered(session);
    if (session.state === 'waiting') {
      // Opened while the bus was away, and now the value has proved unknown. No `done`: whoever reconnects is told 404.
      session.socket.end(Buffer.alloc(0));
      sessions.close(session, 'unknown_execution');
      return;
    }
    session.socket.refuse(message.refusal);
    sessions.close(session, 'refused');
  }

  /** A stream is closed: everything that it held goes back. */
  leave(session: Session): void {
    const { watch, groups, report } = this.#with;
    const release: string[] = [];
    for (const watched of session.group.values) {
      watched.streams.delete(session);
      if (watch.release(watched)) release.push(watched.value);
    }
    groups.release(session.group);
    this.#answered(session);
    report({ kind: 'leave', session: session.key, release });
  }

  #admit(session: Session, message: Joined): void {
    const { watch, sessions, catchUp, clock } = this.#with;
    this.#answered(session);
    for (const value of message.values) watch.resolve(value);
    for (const watched of session.group.values) watched.streams.add(session);
    session.cursor = cursorAt(message.start);
    session.gap = message.gap;
    session.fromEarliest = message.fromEarliest;
    session.lastWriteMs = clock.monotonicMs();
    const mayBeComplete = session.controlEvents ? message.mayBeComplete : message.mayBeCompletePlain;
    if (mayBeComplete && session.state === 'joining' && sessions.complete(session))
      session.advance('answered-complete');
    else sessions.begin(session, 'answered');
    // Most have nothing to catch up with, and are live at once.
    catchUp.stepNow(session);
  }

  /** The owner has answered, or the session no longer waits for it. */
  #answered(session: Session): void {
    if (!session.unanswered) return;
    session.unanswered = false;
    this.#unanswered -= 1;
  }
}
