import type { Gap, JournalPosition } from '../contract/shard-messages.ts';
import type { JournalDescription } from '../contract/upstream.ts';
import { eventIdParts, formatEventId } from '../core/event-id.ts';
import { gapRequestedCharactersMax } from '../core/limits.ts';
import type { Sequence } from '../core/sequence.ts';

/** Where a stream starts, once that is known. `start` null: at the head. */
export interface Start {
  readonly start: JournalPosition | null;
  readonly gap: Gap | null;
}

/** The position behind which everything retained lies. Its record may be gone: then an id is made that sorts just there, and that retention has passed. */
export function beforeOldest(journal: JournalDescription): JournalPosition {
  const { oldest, origin, newest } = journal;
  if (oldest === null) return newest;
  if (oldest.sequence <= 1) return origin;
  const sequence = (oldest.sequence - 1) as Sequence;
  return { sequence, id: formatEventId(eventIdParts(oldest.id).timeMs, sequence, eventIdParts(oldest.id).tag) };
}

export function gapOf(reason: Gap['reason'], requested: string, journal: JournalDescription | null): Gap {
  return {
    reason,
    requested: requested.slice(0, gapRequestedCharactersMax),
    oldestAvailable: journal?.oldest?.id ?? null,
  };
}

/** The bus's verdict on a cursor as a start. */
export function startOf(cursor: string, journal: JournalDescription): Start {
  const placement = journal.placement;
  if (placement === null || placement.verdict === 'malformed')
    return { start: null, gap: gapOf('malformed', cursor, journal) };
  if (placement.verdict === 'placed') return { start: placement.at, gap: null };
  const reason = placement.verdict === 'expired' ? 'expired' : 'unknown_position';
  return { start: placement.at, gap: gapOf(reason, cursor, journal) };
}
