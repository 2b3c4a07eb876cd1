import type { Transferable } from 'node:worker_threads';
import type { Joined, Position, ShardMessage, ShardReply, ShardTask } from '../contract/shard-messages.ts';
import type { WindowMark } from '../contract/window.ts';
import type { Clock } from '../core/clock.ts';

/** Hands one task to the thread of a shard; settles when it has been handled. */
export type RunTask = (task: ShardTask, transfer: Transferable[]) => Promise<ShardReply>;

export interface MailboxDependencies {
  readonly run: RunTask;
  readonly head: () => Position;
  readonly clock: Clock;
  /** The thread cannot be reached any more. Called once; nothing is sent after it. */
  readonly onLost: (fault: unknown) => void;
  /** After each task; the flow control looks again. */
  readonly onIdle: () => void;
}

/**
 * What waits for one shard. At most one task is outstanding; whatever arrives meanwhile goes into the next one, so batches grow with load and shrink without it.
 *
 * Order: messages as they were posted, then one drain to the head. The position of a message is the head when it was posted, so positions rise along
 * the mailbox, and a shard that handles a `joined` stands at most at its position (invariant J2 in docs/ARCHITECTURE.md).
 * Bounded: each message answers a request of the shard, of which it has at most `shardRequestsMax`; the drain is two marks.
 */
export class Mailbox {
  readonly #with: MailboxDependencies;
  #messages: ShardMessage[] = [];
  #transfer: Transferable[] = [];
  /** Just before the first record of interest that no task has covered. */
  #drainFrom: WindowMark | null = null;
  /** The same, with the drains that joins took along. */
  #unreadFrom: WindowMark | null = null;
  #postedMs = 0;
  #outstanding: { readonly number: number; readonly unreadFrom: WindowMark | null } | null = null;
  #tasks = 0;
  #closed = false;
  #onEmptied: (() => void) | null = null;
  #lost = false;

  constructor(dependencies: MailboxDependencies) {
    this.#with = dependencies;
  }

  get depth(): number {
    return this.#messages.length;
  }

  /** The task that is being handled, by its number in the order of tasks; null when there is none. */
  get outstandingTask(): number | null {
    return this.#outstanding?.number ?? null;
  }

  /** The thread is gone. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The earliest record that this shard still has to read; null when it has nothing to read. */
  get pendingOffset(): number | null {
    return this.#outstanding?.unreadFrom?.offset ?? this.#unreadFrom?.offset ?? null;
  }

  post(message: ShardMessage, transfer: readonly Transferable[] = []): void {
    if (this.#closed) return;
    this.#stamp();
    this.#messages.push(message);
    this.#transfer.push(...transfer);
    this.flush();
  }

  /** A join's answer carries its own drain: everything of interest before it is read before it is applied. */
  postJoined(answer: Omit<Joined, 'kind' | 'from' | 'at'>): void {
    const at = this.#with.head();
    const from = this.#drainFrom ?? at;
    this.#drainFrom = null;
    this.post({ kind: 'joined', from, at, ...answer });
  }

  /** A record of interest was appended behind `before`. Call `flush` when the batch is whole. */
  interest(before: WindowMark): void {
    if (this.#drainFrom !== null) return;
    this.#stamp();
    this.#drainFrom = before;
    this.#unreadFrom ??= before;
  }

  /** A new view makes everything before it moot. */
  forgetDrain(): void {
    this.#drainFrom = null;
    this.#unreadFrom = null;
  }

  flush(): void {
    if (this.#closed || this.#outstanding !== null) return;
    if (this.#messages.length === 0 && this.#drainFrom === null) return;
    this.#send();
  }

  /** An empty task, when there is none: its end is a sign of life. */
  ping(): void {
    if (this.#closed || this.#outstanding !== null) return;
    this.#stamp();
    this.#send();
  }

  /** Settles once everything that was posted has been handed to the thread; never, for one that is stuck or lost with messages. Call once. */
  emptied(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmptied = resolve;
      if (this.#messages.length === 0) resolve();
    });
  }

  close(): void {
    this.#closed = true;
  }

  #send(): void {
    const drain = this.#drainFrom === null ? null : { from: this.#drainFrom, to: this.#with.head() };
    const task: ShardTask = { messages: this.#messages, drain, postedMs: this.#postedMs };
    const transfer = this.#transfer;
    this.#tasks += 1;
    this.#outstanding = { number: this.#tasks, unreadFrom: this.#unreadFrom };
    this.#messages = [];
    this.#transfer = [];
    this.#onEmptied?.();
    this.#drainFrom = null;
    this.#unreadFrom = null;
    this.#with.run(task, transfer).then(
      () => {
        this.#finished();
      },
      (fault: unknown) => {
        // A shard contains its own faults: a task that fails means that its thread is gone, and with it every stream that it had.
        this.#closed = true;
        this.#lost = true;
        this.#with.onLost(fault);
      },
    );
  }

  #finished(): void {
    this.#outstanding = null;
    this.flush();
    this.#with.onIdle();
  }

  #stamp(): void {
    if (this.#messages.length === 0 && this.#drainFrom === null) this.#postedMs = this.#with.clock.monotonicMs();
  }
}
