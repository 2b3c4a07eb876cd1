import type { Cancel, Clock } from '../../src/core/clock.ts';
import { testTimeMs } from './record-batch.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly periodMs: number | null;
  readonly action: () => void;
}

/** A clock that stands until a test moves it. `soon` waits for `turn` or for the next move. */
export class FakeClock implements Clock {
  #nowMs = 1_000;
  #order = 0;
  readonly #timers = new Set<Timer>();
  #soon: (() => void)[] = [];

  /** Timers that are set and not cancelled, periodic ones included. */
  get pending(): number {
    return this.#timers.size;
  }

  wallMs(): number {
    return testTimeMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Cancel {
    return this.#add(this.#nowMs + delayMs, null, action);
  }

  every(periodMs: number, action: () => void): Cancel {
    return this.#add(this.#nowMs + periodMs, periodMs, action);
  }

  soon(action: () => void): void {
    this.#soon.push(action);
  }

  /** One turn of the loop: what was asked for with `soon` before it. Answers false when there was nothing. */
  turn(): boolean {
    const actions = this.#soon;
    this.#soon = [];
    for (const action of actions) action();
    return actions.length > 0;
  }

  /** Turns until nothing is left to do; a loop that never rests is a failure. */
  settle(): void {
    for (let turns = 0; this.turn(); turns += 1) {
      if (turns > 10_000) throw new RangeError('the loop does not come to rest');
    }
  }

  /** Moves time on, running each timer at its own moment, then what it left for `soon`. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let timer = this.#next(untilMs); timer !== null; timer = this.#next(untilMs)) this.#fire(timer);
    this.#nowMs = untilMs;
  }

  /** The same for code that awaits: promises settle between the timers. */
  async pass(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settled();
    for (let timer = this.#next(untilMs); timer !== null; timer = this.#next(untilMs)) {
      this.#fire(timer);
      await settled();
    }
    this.#nowMs = untilMs;
  }

  #fire(timer: Timer): void {
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    this.#timers.delete(timer);
    if (timer.periodMs !== null) {
      const again = { ...timer, dueMs: timer.dueMs + timer.periodMs };
      this.#timers.add(again);
      this.#successors.set(timer, again);
    }
    timer.action();
    this.settle();
  }

  /** A periodic timer is cancelled through the handle of its first life. */
  readonly #successors = new Map<Timer, Timer>();

  #add(dueMs: number, periodMs: number | null, action: () => void): Cancel {
    const first: Timer = { dueMs, periodMs, action, order: this.#order++ };
    this.#timers.add(first);
    return () => {
      let timer: Timer | undefined = first;
      while (timer !== undefined) {
        this.#timers.delete(timer);
        timer = this.#successors.get(timer);
      }
    };
  }

  #next(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue;
      if (next === null || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) {
        next = timer;
      }
    }
    return next;
  }
}

/** Every promise that can settle by itself has. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Settles once the condition holds; a loop that runs thousands of turns without it is a failure. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    if (turn > 20_000) throw new RangeError(`it never came about: ${condition.toString()}`);
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
