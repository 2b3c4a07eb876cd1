import type { MessagePort } from 'node:worker_threads';
import type {
  Joined,
  Position,
  ShardMessage,
  ShardReply,
  ShardReport,
  ShardTask,
  ViewGap,
} from '../contract/shard-messages.ts';
import type { ShardGauges, ShardObserver } from '../contract/shard-observer.ts';
import type { StreamDoor, StreamEvents, StreamRequest, StreamSocket } from '../contract/stream.ts';
import type { WindowMark, WindowReader } from '../contract/window.ts';
import { unreachable } from '../core/assert.ts';
import type { Clock } from '../core/clock.ts';
import { shardRequestsMax } from '../core/limits.ts';
import { CatchUp } from './catch-up.ts';
import { ControlLine } from './control-line.ts';
import { Delivery } from './delivery.ts';
import { Drain } from './drain.ts';
import { type Group, GroupTable } from './group.ts';
import { PrefixTrie } from './index/prefix-trie.ts';
import { type Cursor, copyCursor, cursorAt, cursorId, Session } from './stream/session.ts';
import { Sessions } from './stream/sessions.ts';
import { sweep, sweepPeriodMs } from './stream/sweep.ts';
import { WatchTable } from './watch.ts';

export interface ShardDependencies {
  readonly window: WindowReader;
  readonly clock: Clock;
  readonly observer: ShardObserver;
  readonly random: () => number;
  /** An exception in one message or one callback: it is contained to it. `what` names it. */
  readonly onFault: (what: string, fault: unknown) => void;
}

/**
 * The actor: it owns its sessions, index, watch table and position, handles one message at a time, and shares nothing but the window.
 *
 * Messages come as Piscina tasks, socket events from uWebSockets.js, on one loop; each is one synchronous step, none awaits.
 */
export class Shard implements StreamDoor {
  readonly control: ControlLine;
  readonly #with: ShardDependencies;
  readonly #watch = new WatchTable<Session>();
  readonly #trie = new PrefixTrie<Group>();
  readonly #groups = new GroupTable(this.#trie);
  readonly #sessions: Sessions;
  readonly #catchUp: CatchUp;
  readonly #drain: Drain;
  #up: MessagePort | null = null;
  #lapped = false;
  #shuttingDown = false;
  #nextKey = 1;
  #joining = 0;

  constructor(dependencies: ShardDependencies) {
    this.#with = dependencies;
    const { window, clock, observer, random } = dependencies;
    const start = { sequence: 0 as Cursor['sequence'], timeMs: 0, tag: 0 as Cursor['tag'], offset: 0 };
    const failed = (session: Session, fault: unknown): void => {
      this.#sessions.failed(session, fault);
    };
    const delivery = new Delivery({ groups: this.#groups, observer, clock, failed });
    this.#drain = new Drain({ window, watch: this.#watch, trie: this.#trie, delivery, observer, clock }, start);
    const position = (): Cursor => this.#drain.position;
    const onClosed = (session: Session): void => {
      this.#closed(session);
    };
    this.#sessions = new Sessions({
      watch: this.#watch,
      groups: this.#groups,
      observer,
      clock,
      random,
      position,
      onFault: dependencies.onFault,
      onClosed,
    });
    this.#catchUp = new CatchUp({ window, watch: this.#watch, clock, host: this.#catchUpHost() });
    this.control = new ControlLine((report) => {
      this.#report(report);
    });
    clock.every(sweepPeriodMs, () => {
      this.#guard('sweep', () => {
        sweep(this.#sessions, clock.monotonicMs(), (session) => {
          this.#open(session, 'owed');
        });
      });
    });
  }

  gauges(): ShardGauges {
    return {
      sessions: this.#sessions.countByState(),
      groups: this.#groups.size,
      values: this.#watch.valueCount,
      executions: this.#watch.executionCount,
    };
  }

  /** One emptied mailbox. */
  handle(task: ShardTask): ShardReply {
    this.#with.observer.mailboxWait(this.#with.clock.monotonicMs() - task.postedMs);
    for (const message of task.messages) {
      this.#guard(message.kind, () => {
        this.#receive(message);
      });
    }
    const { drain } = task;
    if (drain !== null) {
      this.#guard('drain', () => {
        this.#drainTo(drain.from, drain.to);
      });
    }
    return { kind: 'done' };
  }

  openStream(request: StreamRequest, socket: StreamSocket): StreamEvents {
    if (this.#shuttingDown || this.#joining >= shardRequestsMax) {
      socket.refuse({ kind: this.#shuttingDown ? 'shutting-down' : 'overloaded' });
      this.#with.observer.ended('refused');
      return { onWritable: () => undefined, onClosed: () => undefined };
    }
    const nowMs = this.#with.clock.monotonicMs();
    const values = request.values.map((value) => this.#watch.retain(value));
    const group = this.#groups.retain(GroupTable.keyOf(request.values, request.filter), values, request.filter);
    const { keepOpen, controlEvents } = request;
    const options = { keepOpen, controlEvents, deadlineMs: nowMs + request.timeoutMs };
    const session = new Session(this.#nextKey, socket, group, options, nowMs);
    this.#nextKey += 1;
    this.#joining += 1;
    this.#sessions.byKey.set(session.key, session);
    const { values: named, cursor, address } = request;
    this.#report({ kind: 'join', session: session.key, values: named, cursor, address });
    return {
      onWritable: () => {
        this.#guard('writable', () => {
          this.#writable(session);
        });
      },
      onClosed: () => {
        this.#guard('closed', () => {
          if (session.state !== 'closed') this.#sessions.disconnect(session, 'client');
        });
      },
    };
  }

  #receive(message: ShardMessage): void {
    switch (message.kind) {
      case 'start':
        this.#up = message.up;
        copyCursor(cursorAt(message.at, message.at.offset), this.#drain.position);
        return;
      case 'joined':
        this.#joined(message);
        return;
      case 'wait':
        this.#withSession(message.session, 'joining', (session) => {
          this.#sessions.openWaiting(session);
        });
        return;
      case 'refused':
        this.#refused(message);
        return;
      case 'history':
        this.#catchUp.onHistory(message.ticket, message.outcome);
        return;
      case 'answer':
        this.control.onAnswer(message.call, message.answer);
        return;
      case 'resync':
        this.#resync(message);
        return;
      case 'shutdown':
        this.#shutdown();
        return;
      default:
        unreachable(message);
    }
  }

  /** The join protocol, last step: stand exactly at the answer's position, take it over, open the stream. One synchronous step. */
  #joined(message: Joined): void {
    this.#drainTo(message.from, message.at);
    const session = this.#sessions.byKey.get(message.session);
    if (session === undefined) return;
    this.#sessions.contain(session, () => {
      this.#admit(session, message);
    });
  }

  #admit(session: Session, message: Joined): void {
    this.#answered(session);
    for (const value of message.values) this.#watch.resolve(value);
    for (const watched of session.group.values) watched.streams.add(session);
    session.cursor = cursorAt(message.start);
    session.gap = message.gap;
    session.fromEarliest = message.fromEarliest;
    session.answeredMs = this.#with.clock.monotonicMs();
    const mayBeComplete = session.options.controlEvents ? message.mayBeComplete : message.mayBeCompletePlain;
    if (mayBeComplete && session.state === 'joining' && this.#sessions.complete(session)) {
      session.advance('answered-complete');
      this.#catchUp.stepNow(session);
      return;
    }
    this.#open(session, 'answered');
  }

  #refused(message: Extract<ShardMessage, { kind: 'refused' }>): void {
    const session = this.#sessions.byKey.get(message.session);
    if (session === undefined) return;
    this.#answered(session);
    if (session.state === 'waiting') {
      // Opened while the bus was away, and now the value has proved unknown. No `done`: whoever reconnects is told 404.
      session.socket.end(Buffer.alloc(0));
      this.#sessions.close(session, 'unknown_execution');
      return;
    }
    session.socket.refuse(message.refusal);
    this.#sessions.close(session, 'refused');
  }

  /** Sends `ready`, and whatever can be sent at once. Answers whether the socket had room for it. */
  #open(session: Session, event: 'answered' | 'owed'): boolean {
    const reads = this.#sessions.begin(session, event);
    // When something was owed after all this is called from within a step, and that step goes on.
    if (reads && event === 'answered') this.#catchUp.stepNow(session);
    return reads;
  }

  #writable(session: Session): void {
    if (session.state === 'closed') return;
    this.#sessions.drained(session);
    if (session.state === 'catching-up') this.#catchUp.enqueue(session);
  }

  #drainTo(from: WindowMark, to: Position): void {
    if (this.#lapped) return;
    if (this.#runDrain(from, to) === 'lapped') {
      this.#lapped = true;
      this.#report({ kind: 'lapped' });
      return;
    }
    // The end of a stream is decided after a whole drain, at the position it ended at.
    for (const watched of this.#drain.takeOver()) {
      for (const session of watched.streams) {
        if (session.state === 'live') this.#sessions.contain(session, this.#endIfComplete);
      }
    }
  }

  /** A record that throws would throw each time, and the next drain would begin behind it: as if lapped, a new view goes on without a loss. */
  #runDrain(from: WindowMark, to: Position): 'drained' | 'lapped' {
    try {
      return this.#drain.run(from, to);
    } catch (fault) {
      this.#with.onFault('drain', fault);
      return 'lapped';
    }
  }

  readonly #endIfComplete = (session: Session): void => {
    if (this.#sessions.complete(session)) this.#sessions.end(session, 'executions_terminal');
  };

  /** A new view of the journal: every value anew, exact as of `at`. Without a gap each stream goes on from where it was. */
  #resync(message: Extract<ShardMessage, { kind: 'resync' }>): void {
    for (const session of this.#sessions.byKey.values()) {
      if (session.state !== 'live') continue;
      this.#sessions.settleCursor(session);
      this.#groups.leave(session);
      session.advance('behind');
    }
    this.#lapped = false;
    this.#catchUp.reset();
    this.#drain.takeOver();
    copyCursor(cursorAt(message.at, message.at.offset), this.#drain.position);
    this.#watch.restart(message.values);
    const move = (session: Session): void => {
      if (session.cursor === null) return;
      this.#catchUp.forget(session);
      if (message.gap === null) session.cursor.offset = -1;
      else this.#moveWithGap(session, session.cursor, message.gap);
      if (session.state === 'catching-up' || session.state === 'deciding') this.#catchUp.enqueue(session);
    };
    for (const session of this.#sessions.byKey.values()) this.#sessions.contain(session, move);
  }

  #moveWithGap(session: Session, cursor: Cursor, gap: ViewGap): void {
    const requested = cursorId(cursor);
    copyCursor(cursorAt(gap.resumeAfter), cursor);
    session.gap = { reason: gap.reason, requested, oldestAvailable: gap.oldestAvailable };
    if (session.state === 'deciding') this.#sessions.begin(session, 'owed');
    else this.#sessions.sayGap(session, session.gap);
  }

  #shutdown(): void {
    this.#shuttingDown = true;
    const streams = this.#sessions.byKey.size;
    const end = (session: Session): void => {
      if (session.open) {
        this.#sessions.end(session, 'shutdown');
      } else {
        session.socket.refuse({ kind: 'shutting-down' });
        this.#sessions.close(session, 'refused');
      }
    };
    for (const session of [...this.#sessions.byKey.values()]) this.#sessions.contain(session, end);
    this.#report({ kind: 'drained', streams });
  }

  #catchUpHost(): ConstructorParameters<typeof CatchUp>[0]['host'] {
    return {
      target: () => (this.#lapped ? null : this.#drain.position),
      report: (report) => {
        this.#report(report);
      },
      send: (session, bytes, frames, end) => this.#sessions.send(session, bytes, frames, end),
      owed: (session) => this.#open(session, 'owed'),
      contain: (session, step) => {
        this.#sessions.contain(session, step);
      },
      caughtUp: (session) => {
        this.#sessions.caughtUp(session);
      },
      gap: (session, gap) => {
        session.gap = gap;
        if (session.state === 'deciding') this.#open(session, 'owed');
        else this.#sessions.sayGap(session, gap);
      },
    };
  }

  #closed(session: Session): void {
    const release: string[] = [];
    for (const watched of session.group.values) {
      watched.streams.delete(session);
      if (this.#watch.release(watched)) release.push(watched.value);
    }
    this.#groups.release(session.group);
    this.#answered(session);
    this.#report({ kind: 'leave', session: session.key, release });
  }

  /** The owner has answered, or the session no longer waits for it. */
  #answered(session: Session): void {
    if (!session.unanswered) return;
    session.unanswered = false;
    this.#joining -= 1;
  }

  #withSession(key: number, state: Session['state'], action: (session: Session) => void): void {
    const session = this.#sessions.byKey.get(key);
    if (session?.state === state) action(session);
  }

  #report(report: ShardReport): void {
    this.#up?.postMessage(report);
  }

  #guard(what: string, action: () => void): void {
    try {
      action();
    } catch (fault) {
      this.#with.onFault(what, fault);
    }
  }
}
