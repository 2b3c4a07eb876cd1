import type { Cancel } from '../../../core/clock.ts';
import { JournalDamagedError } from '../../../core/failure.ts';
import { damagesRememberedMax } from '../../../core/limits.ts';
import { Listeners } from '../listeners.ts';

/** The places at which reading found the journal damaged. Each is told once, to whoever must show it to an operator. */
export class Damages {
  readonly #place: string;
  readonly #sequences = new Set<number>();
  readonly #listeners = new Listeners<[JournalDamagedError]>();

  /** @param place what messages call the journal */
  constructor(place: string) {
    this.#place = place;
  }

  onFound(listener: (damage: JournalDamagedError) => void): Cancel {
    return this.#listeners.add(listener);
  }

  /** Notes a place, and answers the error that a reader gets who cannot go on there. */
  found(sequence: number): JournalDamagedError {
    const damage = new JournalDamagedError(sequence, this.#place);
    if (!this.#sequences.has(sequence) && this.#sequences.size < damagesRememberedMax) {
      this.#sequences.add(sequence);
      this.#listeners.tell(damage);
    }
    return damage;
  }

  /** The lowest place above what retention has taken; 0: none was found. */
  firstAbove(floor: number): number {
    let first = 0;
    for (const sequence of this.#sequences) {
      if (sequence <= floor) this.#sequences.delete(sequence);
      else if (first === 0 || sequence < first) first = sequence;
    }
    return first;
  }
}
