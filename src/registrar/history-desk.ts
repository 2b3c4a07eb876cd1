import type { ShardReport } from '../contract/shard-messages.ts';
import type { BusCalls } from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import { BusError } from '../core/failure.ts';
import { damagedRetryMs, historyReadsMax, historyRetryMs } from '../core/limits.ts';
import type { ShardMail } from './shard-mail.ts';

type HistoryReport = Extract<ShardReport, { kind: 'read-history' }>;

interface Read {
  readonly report: HistoryReport;
  readonly mailbox: ShardMail;
  /** Nobody waits for it any more. */
  dropped: boolean;
}

/**
 * Blocks of history for the shards: `historyReadsMax` at a time over all sessions, first come first served. A session asks for its next block only when it
 * has written the last, and goes to the end of the queue then: that is the fairness. A read that the bus cannot answer is asked again
 * until it can: its session keeps its cursor and its heartbeats.
 * Bounded by the sessions: each has at most one request, and a request whose sessions have all left is dropped, wherever it stands.
 */
export class HistoryDesk {
  readonly #bus: BusCalls;
  readonly #clock: Clock;
  readonly #onFault: (fault: unknown) => void;
  readonly #queue: Read[] = [];
  /** Every read that is not answered: in the queue, at the bus, or between two tries. */
  readonly #open = new Map<ShardMail, Map<number, Read>>();
  #reading = 0;
  #closed = false;

  constructor(bus: BusCalls, clock: Clock, onFault: (fault: unknown) => void) {
    this.#bus = bus;
    this.#clock = clock;
    this.#onFault = onFault;
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
    const read: Read = { report, mailbox, dropped: false };
    const reads = this.#open.get(mailbox) ?? new Map<number, Read>();
    this.#open.set(mailbox, reads.set(report.ticket, read));
    this.#queue.push(read);
    this.#next();
  }

  /** Nothing for a read that is answered already. */
  drop(mailbox: ShardMail, ticket: number): void {
    const read = this.#open.get(mailbox)?.get(ticket);
    if (read === undefined) return;
    read.dropped = true;
    this.#forget(read);
    const place = this.#queue.indexOf(read);
    if (place !== -1) this.#queue.splice(place, 1);
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
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
      const outcome = await this.#bus.history({ executionIds, after, until, bytesMax });
      if (read.dropped) {
        if (outcome.kind === 'block') this.#bus.giveBack(outcome.bytes);
        return;
      }
      this.#forget(read);
      const transfer = outcome.kind === 'block' ? [outcome.bytes] : [];
      read.mailbox.post({ kind: 'history', ticket, outcome }, transfer);
    } catch (failure) {
      // Whatever it was, the session keeps its cursor and waits; what is not the bus's weather is said.
      const damaged = failure instanceof BusError && failure.code === 'damaged';
      if (damaged || !(failure instanceof BusError)) this.#onFault(failure);
      this.#clock.after(
        damaged ? damagedRetryMs : historyRetryMs,
        () => {
          if (this.#closed || read.dropped) return;
          this.#queue.push(read);
          this.#next();
        },
        { background: true },
      );
    }
  }
}
