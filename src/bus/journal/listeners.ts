import type { Cancel } from '../../core/clock.ts';

/** Those who want to be told of something. Their number is bounded by the calls that the service lets in. */
export class Listeners<Told extends readonly unknown[]> {
  readonly #listeners = new Set<(...told: Told) => void>();

  add(listener: (...told: Told) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  tell(...told: Told): void {
    for (const listener of this.#listeners) listener(...told);
  }
}
