import { assert } from './assert.ts';
import { batchEventsMax } from './limits.ts';

/** A second's worth, and the largest batch at least: at one event a second a full batch must still be let in some time. */
export const publishBurst = (ratePerSecond: number): number => Math.max(ratePerSecond, batchEventsMax);

/**
 * A rate with a burst: it fills at `ratePerSecond` up to `burst`, and what is taken must be in it.
 *
 * A refusal takes nothing, so those who try too often do not starve each other. Knows no clock: times are milliseconds of any one that rises.
 * Counts in thousandths, of which whole milliseconds bring whole ones.
 */
export class TokenBucket {
  readonly #thousandthsPerMs: number;
  readonly #thousandthsMax: number;
  #thousandths: number;
  #filledMs: number;

  constructor(ratePerSecond: number, burst: number, nowMs: number) {
    assert(ratePerSecond > 0 && burst > 0, 'a bucket fills and holds something');
    this.#thousandthsPerMs = ratePerSecond;
    this.#thousandthsMax = burst * 1_000;
    this.#thousandths = this.#thousandthsMax;
    this.#filledMs = nowMs;
  }

  /** 0: taken. Else the milliseconds after which so many will be there, if nobody else takes any. At most `burst` at a time. */
  take(count: number, nowMs: number): number {
    const wanted = count * 1_000;
    assert(wanted <= this.#thousandthsMax, 'more than a burst is never there');
    const brought = (nowMs - this.#filledMs) * this.#thousandthsPerMs;
    this.#thousandths = Math.min(this.#thousandthsMax, this.#thousandths + brought);
    this.#filledMs = nowMs;
    if (this.#thousandths < wanted) return Math.ceil((wanted - this.#thousandths) / this.#thousandthsPerMs);
    this.#thousandths -= wanted;
    return 0;
  }
}
