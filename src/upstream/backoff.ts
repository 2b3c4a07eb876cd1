/**
 * Waits between attempts: exponential, with full jitter, so that many routers that lost one bus do not come back as one
 * (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #attempts = 0;

  constructor(baseMs: number, capMs: number, random: () => number) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#random = random;
  }

  /** Milliseconds to wait before the next attempt: between a tenth and the whole of min(cap, base x 2^attempts). */
  next(): number {
    const bound = Math.min(this.#capMs, this.#baseMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return bound * (0.1 + 0.9 * this.#random());
  }

  /** An attempt has succeeded. */
  reset(): void {
    this.#attempts = 0;
  }
}
