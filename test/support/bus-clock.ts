import type { Clock } from '../../src/core/clock.ts';

/** A clock that stands until it is told otherwise. Timers are real: they are not what these tests are about. */
export class HandClock implements Clock {
  wall: number;
  monotonic = 0;

  constructor(wallMs: number) {
    this.wall = wallMs;
  }

  /** Both clocks go on. */
  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.wall += ms;
  }

  wallMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  soon(action: () => void): void {
    setImmediate(action);
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = setTimeout(action, delayMs);
    return () => {
      clearTimeout(timer);
    };
  }

  every(periodMs: number, action: () => void): () => void {
    const timer = setInterval(action, periodMs);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  }
}
