import type { Clock } from '../core/clock.ts';
import type { Sequence } from '../core/sequence.ts';

interface Waiter {
  readonly sequence: Sequence;
  readonly settle: (passed: boolean) => void;
}

/** Those who wait until the router's position has passed a sequence. Bounded by the joins and writes in flight. */
export class PositionWaiters {
  readonly #waiters = new Set<Waiter>();
  readonly #clock: Clock;
  #head: Sequence;
  #restarts = 0;

  constructor(clock: Clock, head: Sequence) {
    this.#clock = clock;
    this.#head = head;
  }

  /** How often the journal has become another: a position from before the last time means nothing now. */
  get restarts(): number {
    return this.#restarts;
  }

  /** True once the head is at or above `sequence`; false after `waitMs` (null: no limit) or when `signal` aborts. */
  until(sequence: Sequence, waitMs: number | null, signal?: AbortSignal): Promise<boolean> {
    if (this.#head >= sequence) return Promise.resolve(true);
    if (signal?.aborted === true) return Promise.resolve(false);
    return new Promise((resolve) => {
      const giveUp = (): void => {
        waiter.settle(false);
      };
      const cancel = waitMs === null ? null : this.#clock.after(waitMs, giveUp);
      const waiter: Waiter = {
        sequence,
        settle: (passed) => {
          this.#waiters.delete(waiter);
          cancel?.();
          signal?.removeEventListener('abort', giveUp);
          resolve(passed);
        },
      };
      signal?.addEventListener('abort', giveUp);
      this.#waiters.add(waiter);
    });
  }

  /** The journal is another one: what was waited for may never come. */
  restart(head: Sequence): void {
    this.#head = head;
    this.#restarts += 1;
    for (const waiter of this.#waiters) waiter.settle(waiter.sequence <= head);
  }

  /** The head has moved on. Cost: O(waiters), which is mostly none. */
  advance(head: Sequence): void {
    this.#head = head;
    for (const waiter of this.#waiters) {
      if (waiter.sequence <= head) waiter.settle(true);
    }
  }
}
