import type { JournalDescription, PublishReceipt } from '../contract/upstream.ts';
import { type EventId, eventIdParts, type JournalTag } from '../core/event-id.ts';
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
  #tag: JournalTag | null = null;
  #head: Sequence = sequenceNone;

  begin({ journalId, journalTag }: Pick<JournalDescription, 'journalId' | 'journalTag'>, head: Sequence): void {
    this.#journalId = journalId;
    this.#tag = journalTag;
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

  /**
   * To be called before a write is sent; what it answers takes the acknowledgement and says whether that is certainly of the journal of this view: stamped
   * with its tag, above all that this router had when it was sent. An acknowledgement of what was written before (a repeated source_id, a change
   * that changed nothing) is none of these, and the bus has to be asked.
   */
  writing(): (receipt: Pick<PublishReceipt, 'ids' | 'lastSequence'>) => boolean {
    const head = this.#head;
    return ({ ids, lastSequence }) => lastSequence > head && ids.some((id) => this.#stamped(id));
  }

  /** What the bus said of an id, as `describe` passed it: whether that record is one of this journal. */
  holds(id: EventId, { placement }: JournalDescription): boolean {
    // A foreign id is placed by comparison, at another record; or has expired, as it is older than the journal.
    if (placement?.verdict === 'placed') return placement.at.id === id;
    return placement?.verdict === 'expired' && this.#stamped(id);
  }

  #stamped(id: EventId): boolean {
    return eventIdParts(id).tag === this.#tag;
  }
}

/** What is answered until this router is in the new journal too: as if the bus had not answered. */
export function otherJournal(): BusError {
  return new BusError('unavailable', 'the bus has another journal than this router, which is about to begin anew');
}
