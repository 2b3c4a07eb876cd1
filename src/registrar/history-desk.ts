import type { ShardReport } from '../contract/shard-messages.ts';
import type { BusCalls } from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import { BusError, type BusFailure } from '../core/failure.ts';
import { damagedRetryMs, historyReadsMax, historyRetryMs } from '../core/limits.ts';
import type { ShardMail } from './shard-mail.ts';

type HistoryReport = Extract<ShardReport, { kind: 'read-history' }>;

interface Read {
  readonly report: HistoryReport;
  readonly mailbox: ShardMail;
  /** Aborted when nobody waits for it any more. */
  readonly wanted: AbortController;
  /** Null until it has failed by a defect. */
  backoff: Waits | null;
}

/** Waits between tries that each fail. */
export interface Waits {
  next(): number;
}

export interface HistoryDeskDependencies {
  readonly bus: BusCalls;
  readonly clock: Clock;
  /** For one read that fails by a defect: the same again is likely to fail again. */
  readonly backoff: () => Waits;
  readonly onFault: (fault: unknown) => void;
}

/** The bus is away, slow or busy. */
const weather: ReadonlySet<BusFailure> = new Set(['unavailable', 'deadline', 'throttled']);

/**
 * Blocks of history for the shards: `historyReadsMax` at a time over all sessions, first come first served. A session asks for its next block only when it
 * has written the last, and goes to the end of the queue then: that is the fairness. A read that the bus cannot answer is asked again
 * until it can: its session keeps its cursor and its heartbeats. The bus's weather passes within seconds and is asked after `historyRetryMs`; a defect is
 * told, and asked again ever more rarely.
 * Bounded by the sessions: each has at most one request, and a request whose sessions have all left is dropped, wherever it stands: at the bus, its call is cancelled.
 */
export class HistoryDesk {
  readonly #bus: BusCalls;
  readonly #clock: Clock;
  readonly #backoff: () => Waits;
  readonly #onFault: (fault: unknown) => void;
  readonly #queue: Read[] = [];
  /** Every read that is not answered: in the queue, at the bus, or between two tries. */
  readonly #open = new Map<ShardMail, Map<number, Read>>();
  #reading = 0;
  #closed = false;

  constructor(dependencies: HistoryDeskDependencies) {
    this.#bus = dependencies.bus;
    this.#clock = dependencies.clock;
    this.#backoff = dependencies.backoff;
    this.#onFault = dependencies.onFault;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Reads that are not answered, wherever they stand. */
  get open(): number {
    let count = 0;
    for (const reads of this.#open.values()) count += reads.size;
    return count;
  }

  ask(mailbox: ShardMail, report: HistoryReport): void {
    const read: Read = { report, mailbox, wanted: new AbortController(), backoff: null };
    const reads = this.#open.get(mailbox) ?? new Map<number, Read>();
    this.#open.set(mailbox, reads.set(report.ticket, read));
    this.#queue.push(read);
    this.#next();
  }

  /** Nothing for a read that is answered already. */
  drop(mailbox: ShardMail, ticket: number): void {
    const read = this.#open.get(mailbox)?.get(ticket);
    if (read === undefined) return;
    this.#forget(read);
    read.wanted.abort();
    const place = this.#queue.indexOf(read);
    if (place !== -1) this.#queue.splice(place, 1);
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    for (const reads of this.#open.values()) for (const read of reads.values()) read.wanted.abort();
    this.#open.clear();
  }

  #forget(read: Read): void {
    this.#open.get(read.mailbox)?.delete(read.report.ticket);
  }

  #next(): void {
    while (!this.#closed && this.#reading < historyReadsMax) {
      const read = this.#queue.shift();
      if (read === undefined) return;
      this.#reading += 1;
      this.#read(read)
        .catch(this.#onFault)
        .finally(() => {
          this.#reading -= 1;
          this.#next();
        });
    }
  }

  async #read(read: Read): Promise<void> {
    const { executionIds, after, until, bytesMax, ticket } = read.report;
    try {
      const outcome = await this.#bus.history({ executionIds, after, until, bytesMax }, read.wanted.signal);
      if (read.wanted.signal.aborted) {
        if (outcome.kind === 'block') this.#bus.giveBack(outcome.bytes);
        return;
      }
      this.#forget(read);
      const transfer = outcome.kind === 'block' ? [outcome.bytes] : [];
      read.mailbox.post({ kind: 'history', ticket, outcome }, transfer);
    } catch (failure) {
      if (read.wanted.signal.aborted) return;
      // Whatever it was, the session keeps its cursor and waits.
      this.#clock.after(
        this.#waitAfter(failure, read),
        () => {
          if (this.#closed || read.wanted.signal.aborted) return;
          this.#queue.push(read);
          this.#next();
        },
        { background: true },
      );
    }
  }

  /** What is not the bus's weather is said. */
  #waitAfter(failure: unknown, read: Read): number {
    const code = failure instanceof BusError ? failure.code : 'internal';
    if (weather.has(code)) return historyRetryMs;
    this.#onFault(failure);
    if (code === 'damaged') return damagedRetryMs;
    read.backoff ??= this.#backoff();
    return read.backoff.next();
  }
}
