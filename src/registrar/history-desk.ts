import type { ShardReport } from '../contract/shard-messages.ts';
import type { BusCalls } from '../contract/upstream.ts';
import type { Clock } from '../core/clock.ts';
import { BusError } from '../core/failure.ts';
import { historyReadsMax, historyRetryMs } from '../core/limits.ts';
import type { ShardMail } from './shard-mail.ts';

type HistoryReport = Extract<ShardReport, { kind: 'read-history' }>;

interface Read {
  readonly report: HistoryReport;
  readonly mailbox: ShardMail;
}

/**
 * Blocks of history for the shards: `historyReadsMax` at a time over all sessions, first come first served. A session asks for its next block only when it
 * has written the last, and goes to the end of the queue then: that is the fairness. A read that the bus cannot answer is asked again
 * until it can: its session keeps its cursor and its heartbeats.
 * Bounded by the sessions: each has at most one request.
 */
export class HistoryDesk {
  readonly #bus: BusCalls;
  readonly #clock: Clock;
  readonly #onFault: (fault: unknown) => void;
  readonly #queue: Read[] = [];
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

  ask(mailbox: ShardMail, report: HistoryReport): void {
    this.#queue.push({ report, mailbox });
    this.#next();
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
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
    const { executionIds, after, until, ticket } = read.report;
    try {
      const outcome = await this.#bus.history({ executionIds, after, until });
      const transfer = outcome.kind === 'block' ? [outcome.bytes] : [];
      read.mailbox.post({ kind: 'history', ticket, outcome }, transfer);
    } catch (failure) {
      // Whatever it was, the session keeps its cursor and waits; what is not the bus's weather is said.
      if (!(failure instanceof BusError)) this.#onFault(failure);
      this.#clock.after(
        historyRetryMs,
        () => {
          if (!this.#closed) this.ask(read.mailbox, read.report);
        },
        { background: true },
      );
    }
  }
}
