import type { MessagePort, Transferable } from 'node:worker_threads';
import type { Joined, Position, ShardMessage, ShardReply, ShardReport, ShardTask } from '../contract/shard-messages.ts';
import type { FaultPlace, ShardGauges, ShardObserver } from '../contract/shard-observer.ts';
import type { StreamDoor, StreamEvents, StreamRequest, StreamSocket } from '../contract/stream.ts';
import type { WindowMark, WindowReader } from '../contract/window.ts';
import { unreachable } from '../core/assert.ts';
import type { Clock } from '../core/clock.ts';
import { drainBytesMax } from '../core/limits.ts';
import { ControlLine } from './control-line.ts';
import { GroupTable } from './group.ts';
import { PrefixTrie } from './index/prefix-trie.ts';
import { Joins } from './joins.ts';
import { type NewView, takeNewView } from './new-view.ts';
import { CatchUp } from './reading/catch-up.ts';
import { Delivery } from './reading/delivery.ts';
import { Drain } from './reading/drain.ts';
import { type Cursor, copyCursor, cursorAt, type Session } from './stream/session.ts';
import { Sessions, sweepPeriodMs } from './stream/sessions.ts';
import { type OnSocket, SocketEvents } from './stream/socket-events.ts';
import { sweep } from './stream/sweep.ts';
import { WatchTable } from './watch.ts';

export interface ShardDependencies {
  readonly window: WindowReader;
  readonly clock: Clock;
  readonly observer: ShardObserver;
  readonly random: () => number;
  /** For tests: what a drain may hand over, in place of `drainBytesMax`. */
  readonly drainBytes?: number;
  /** A sign of life in the middle of a task; cheap. */
  readonly beat: () => void;
  /** An exception in one message or one callback: it is contained to it. `what` names it. */
  readonly onFault: (what: FaultPlace, fault: unknown) => void;
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
  readonly #trie = new PrefixTrie();
  readonly #groups = new GroupTable(this.#trie);
  readonly #sessions: Sessions;
  readonly #catchUp: CatchUp;
  readonly #drain: Drain;
  readonly #joins: Joins;
  readonly #report: (report: ShardReport) => void;
  #up: MessagePort | null = null;
  #lapped = false;
  #shuttingDown = false;

  constructor(dependencies: ShardDependencies) {
    this.#with = dependencies;
    const { window, clock, observer, random, beat, drainBytes: bytesMax = drainBytesMax } = dependencies;
    const start = { sequence: 0 as Cursor['sequence'], timeMs: 0, tag: 0 as Cursor['tag'], offset: 0 };
    const failed = (session: Session, fault: unknown): void => {
      this.#sessions.failed('drain', session, fault);
    };
    const groupFailed = (members: readonly Session[], fault: unknown): void => {
      this.#sessions.failedTogether('drain', members, fault);
    };
    const behind = (session: Session): void => {
      this.#catchUp.enqueue(session);
    };
    const delivery = new Delivery({ groups: this.#groups, observer, clock, failed, groupFailed, behind, bytesMax });
    this.#drain = new Drain(
      { window, watch: this.#watch, trie: this.#trie, groups: this.#groups, delivery, beat },
      start,
    );
    const position = (): Cursor => this.#drain.position;
    const onClosed = (session: Session): void => {
      this.#joins.leave(session);
      this.#catchUp.forget(session);
    };
    this.#sessions = new Sessions({
      watch: this.#watch,
      groups: this.#groups,
      observer,
      clock,
      random,
      position,
      beat,
      onFault: dependencies.onFault,
      onClosed,
    });
    const report = (message: ShardReport, transfer: readonly Transferable[] = []): void => {
      this.#up?.postMessage(message, transfer);
    };
    this.#catchUp = new CatchUp({
      window,
      watch: this.#watch,
      clock,
      sessions: this.#sessions,
      target: () => (this.#lapped ? null : this.#drain.position),
      report,
    });
    this.#joins = new Joins({
      watch: this.#watch,
      groups: this.#groups,
      sessions: this.#sessions,
      catchUp: this.#catchUp,
      clock,
      report,
    });
    this.control = new ControlLine(report);
    this.#report = report;
    clock.every(sweepPeriodMs, () => {
      this.#guard('sweep', () => {
        sweep(this.#sessions, clock.monotonicMs(), this.#readOn);
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
      this.#with.beat();
      try {
        this.#receive(message);
      } catch (fault) {
        this.#faulted(message, fault);
      }
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
    if (this.#shuttingDown || this.#joins.full) {
      socket.refuse({ kind: this.#shuttingDown ? 'shutting-down' : 'overloaded' });
      this.#with.observer.ended('refused');
      return { onWritable: () => undefined, onClosed: () => undefined };
    }
    return new SocketEvents(this.#joins.begin(request, socket), this.#onSocket);
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
        this.#joins.wait(message.session);
        return;
      case 'refused':
        this.#joins.refuse(message);
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

  /** The last step of the join protocol: stand exactly at the answer's position, then take it over. One synchronous step. */
  #joined(message: Joined): void {
    this.#drainTo(message.from, message.at);
    this.#joins.answer(message);
  }

  readonly #onSocket: OnSocket = {
    writable: (session) => {
      this.#sessions.contain('writable', session, this.#writable);
    },
    closed: (session) => {
      this.#guard('closed', () => {
        this.#sessions.disconnect(session, 'client');
      });
    },
  };

  readonly #writable = (session: Session): void => {
    if (session.state === 'closed') return;
    this.#sessions.writable(session);
    this.#readOn(session);
  };

  readonly #readOn = (session: Session): void => {
    if (session.state === 'catching-up') this.#catchUp.enqueue(session);
  };

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
        if (session.state !== 'live') continue;
        this.#sessions.contain('end', session, this.#endIfComplete);
        this.#with.beat();
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

  #resync(message: NewView): void {
    this.#lapped = false;
    takeNewView(
      {
        watch: this.#watch,
        groups: this.#groups,
        sessions: this.#sessions,
        catchUp: this.#catchUp,
        drain: this.#drain,
      },
      message,
    );
  }

  #shutdown(): void {
    this.#shuttingDown = true;
    const streams = this.#sessions.byKey.size;
    try {
      this.#sessions.endAll();
    } finally {
      this.#report({ kind: 'drained', streams });
    }
  }

  /** What a message that threw concerns is closed: its stream, or with a new view, which is of all of them, every one. They resume. */
  #faulted(message: ShardMessage, fault: unknown): void {
    const { byKey } = this.#sessions;
    const concerned = 'session' in message ? byKey.get(message.session) : undefined;
    if (concerned !== undefined) {
      this.#sessions.failed(message.kind, concerned, fault);
      return;
    }
    this.#sessions.failedTogether(message.kind, message.kind === 'resync' ? [...byKey.values()] : [], fault);
  }

  #guard(what: FaultPlace, action: () => void): void {
    try {
      action();
    } catch (fault) {
      this.#with.onFault(what, fault);
    }
  }
}
