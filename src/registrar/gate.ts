/** A condition that comes and goes, and those who wait for it to come. */
export class Gate {
  #open: boolean;
  readonly #waiters = new Set<(open: boolean) => void>();

  constructor(open = false) {
    this.#open = open;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  set(open: boolean): void {
    this.#open = open;
    if (!open) return;
    for (const settle of [...this.#waiters]) settle(true);
  }

  /** True once the gate is open; false when `signal` aborts first. */
  opened(signal: AbortSignal): Promise<boolean> {
    if (this.#open) return Promise.resolve(true);
    return this.next(signal);
  }

  /** True when the gate is opened the next time, even if it is open now. */
  next(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const abort = (): void => {
        settle(false);
      };
      const settle = (open: boolean): void => {
        this.#waiters.delete(settle);
        signal.removeEventListener('abort', abort);
        resolve(open);
      };
      signal.addEventListener('abort', abort);
      this.#waiters.add(settle);
    });
  }
}
