import type { Transferable } from 'node:worker_threads';
import type { HistoryOutcome, ShardReport } from '../../contract/shard-messages.ts';
import { historyBlockBytes, historyProbeBytes, historyReadsMax } from '../../core/limits.ts';
import { type Cursor, cursorId, type Session } from '../stream/session.ts';

type Report = (report: ShardReport, transfer?: readonly Transferable[]) => void;

/** A block of history, until each session that asked for it has had its turn. */
interface Arrived {
  readonly outcome: HistoryOutcome;
  /** The next to have its turn stands last. */
  readonly sessions: Session[];
}

/**
 * What a shard asks of the journal. Sessions that want the same range of the same values share a block.
 *
 * Bounded: `historyReadsMax` blocks on their way or here. Whoever wants another one stands in `wanting`, sessions by what they want, oldest wish first, until there
 * is room. A session stands in one place only (`historyTicket`, `historyWish`), and leaves it when it is gone; a block that nobody waits for is given up.
 */
export class HistoryRequests {
  readonly #report: Report;
  /** Who waits for the block of a ticket; nobody who has left. */
  readonly #waiting = new Map<number, Set<Session>>();
  readonly #arrived = new Map<number, Arrived>();
  readonly #wanting = new Map<string, Set<Session>>();
  /** Ticket of the block that is on its way, by group values and position. */
  readonly #tickets = new Map<string, number>();
  readonly #ticketKeys = new Map<number, string>();
  #nextTicket = 1;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Some block has come whose turns are not over. */
  get here(): boolean {
    return this.#arrived.size > 0;
  }

  /** Asks for what follows `cursor`, up to `until`, or notes that the session wants it. */
  ask(session: Session, cursor: Cursor, until: Cursor): void {
    const bytesMax = session.owed ? historyProbeBytes : historyBlockBytes;
    const key = `${session.group.valuesKey}@${cursorId(cursor)}/${bytesMax}`;
    let ticket = this.#tickets.get(key);
    if (ticket === undefined) {
      if (this.#waiting.size + this.#arrived.size >= historyReadsMax) {
        this.#want(key, session);
        return;
      }
      ticket = this.#nextTicket;
      this.#nextTicket += 1;
      this.#tickets.set(key, ticket);
      this.#ticketKeys.set(ticket, key);
      this.#waiting.set(ticket, new Set());
      this.#report({
        kind: 'read-history',
        ticket,
        executionIds: session.group.executionIds(),
        after: cursor.sequence,
        until: { sequence: until.sequence, id: cursorId(until) },
        bytesMax,
      });
    }
    session.historyTicket = ticket;
    this.#waiting.get(ticket)?.add(session);
  }

  /** The answer to a ticket; nothing for one that was given up. */
  arrived(ticket: number, outcome: HistoryOutcome): void {
    const sessions = [...(this.#waiting.get(ticket) ?? [])].reverse();
    this.#close(ticket);
    if (sessions.length > 0) this.#arrived.set(ticket, { outcome, sessions });
    else this.#spent(outcome);
  }

  /** One session of the oldest block takes it, within the call; false when none is here. */
  handOut(take: (session: Session, outcome: HistoryOutcome) => void): boolean {
    for (const [ticket, { outcome, sessions }] of this.#arrived) {
      const session = sessions.pop();
      const wants = session?.historyTicket === ticket;
      if (wants) {
        session.historyTicket = 0;
        take(session, outcome);
      }
      if (sessions.length === 0) {
        this.#arrived.delete(ticket);
        this.#spent(outcome);
      }
      if (wants) return true;
    }
    return false;
  }

  /** Who may ask again: as many wishes as there is room for. Looked at after each turn: some of them may have nobody left who reads. */
  admitted(): Session[] {
    const admitted: Session[] = [];
    let room = historyReadsMax - this.#waiting.size - this.#arrived.size;
    for (const sessions of this.#wanting.values()) {
      if (room <= 0) break;
      room -= 1;
      admitted.push(...sessions);
    }
    for (const session of admitted) this.#unwish(session);
    return admitted;
  }

  /** The session is gone or moved. True when that made room. */
  forget(session: Session): boolean {
    this.#unwish(session);
    const ticket = session.historyTicket;
    session.historyTicket = 0;
    const waiting = this.#waiting.get(ticket);
    waiting?.delete(session);
    if (waiting?.size !== 0) return false;
    this.#drop(ticket);
    return true;
  }

  /** The journal may have changed: no answer to what was asked may be used. */
  reset(): void {
    for (const ticket of [...this.#waiting.keys()]) this.#drop(ticket);
    this.#arrived.clear();
    for (const sessions of [...this.#wanting.values()]) {
      for (const session of [...sessions]) this.#unwish(session);
    }
  }

  #want(key: string, session: Session): void {
    session.queued = true;
    session.historyWish = key;
    const others = this.#wanting.get(key);
    if (others === undefined) this.#wanting.set(key, new Set([session]));
    else others.add(session);
  }

  #unwish(session: Session): void {
    if (session.historyWish === '') return;
    const others = this.#wanting.get(session.historyWish);
    others?.delete(session);
    if (others?.size === 0) this.#wanting.delete(session.historyWish);
    session.historyWish = '';
    session.queued = false;
  }

  /** Its memory goes back to where blocks are made. */
  #spent(outcome: HistoryOutcome): void {
    if (outcome.kind === 'block') this.#report({ kind: 'history-spent', bytes: outcome.bytes }, [outcome.bytes]);
  }

  #drop(ticket: number): void {
    this.#close(ticket);
    this.#report({ kind: 'drop-history', ticket });
  }

  #close(ticket: number): void {
    this.#waiting.delete(ticket);
    const key = this.#ticketKeys.get(ticket);
    this.#ticketKeys.delete(ticket);
    if (key !== undefined) this.#tickets.delete(key);
  }
}
