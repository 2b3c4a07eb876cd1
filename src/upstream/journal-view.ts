import type { JournalDescription } from '../contract/upstream.ts';
import { BusError } from '../core/failure.ts';
import { type Sequence, sequenceNone } from '../core/sequence.ts';

/**
 * Which journal the router's window and registry are of, and how far they go.
 *
 * Calls and the stream from the bus are two connections. When another journal takes the place of the first, calls may reach the new one
 * seconds before the stream ends: an answer from there says nothing of what this router has.
 */
export class JournalView {
  #journalId: string | null = null;
  #head: Sequence = sequenceNone;

  begin(journalId: string, head: Sequence): void {
    this.#journalId = journalId;
    this.#head = head;
  }

  advance(head: Sequence): void {
    this.#head = head;
  }

  /**
   * To be called before a description is asked for; what it answers takes the description and says whether it is of this journal: the
   * same one, and not put back to before what this router had when it asked.
   */
  asking(): (journal: JournalDescription) => boolean {
    const head = this.#head;
    return ({ journalId, newest }) =>
      this.#journalId === null || (journalId === this.#journalId && newest.sequence >= head);
  }
}

/** What is answered until this router is in the new journal too: as if the bus had not answered. */
export function otherJournal(): BusError {
  return new BusError('unavailable', 'the bus has another journal than this router, which is about to begin anew');
}
