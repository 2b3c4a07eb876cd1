import { clockStepMsMax } from '../../core/limits.ts';

/**
 * The time that age retention goes by. It follows the wall clock, but not over a step: when the wall clock stands more than a day ahead
 * of what the journal has lived through, it advances at twice real time instead, until it has caught up.
 *
 * So a clock set wrong by a year takes nothing away that a person could not notice in time, and a bus that was off for a month trims its
 * backlog over the next month instead of in one sweep.
 */
export class AgeClock {
  #nowMs: number;
  #monotonicMs: number;
  #alarm = false;

  constructor(nowMs: number, monotonicMs: number) {
    this.#nowMs = nowMs;
    this.#monotonicMs = monotonicMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** True while the wall clock is ahead by more than a day. */
  get alarm(): boolean {
    return this.#alarm;
  }

  advance(wallMs: number, monotonicMs: number): void {
    const lived = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs = monotonicMs;
    this.#alarm = wallMs - this.#nowMs > lived + clockStepMsMax;
    this.#nowMs = this.#alarm ? this.#nowMs + 2 * lived : wallMs;
  }
}
