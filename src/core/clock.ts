/**
 * The one door to time. Everything that waits or stamps takes a Clock, so that a test can hand in its own.
 *
 * `wallMs` may jump (NTP, an operator); `monotonicMs` never steps back and is for durations.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start, with a fraction; rises only. */
  monotonicMs(): number;
  /** Runs `action` once after `delayMs`; the answer cancels it. Does not keep the process alive when `background` is true. */
  after(delayMs: number, action: () => void, options?: { readonly background?: boolean }): Cancel;
  /** Runs `action` every `periodMs` until cancelled. Never keeps the process alive by itself. */
  every(periodMs: number, action: () => void): Cancel;
  /** Runs `action` once, after the I/O that is already waiting. */
  soon(action: () => void): void;
}

export type Cancel = () => void;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action, options) {
    const timer = setTimeout(action, delayMs);
    if (options?.background === true) timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
  every(periodMs, action) {
    const timer = setInterval(action, periodMs);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  },
  soon(action) {
    setImmediate(action);
  },
};

/** A promise that settles after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
