import type { CursorPlacement } from '../../contract/journal.ts';
import {
  type EventId,
  type EventIdParts,
  eventIdParts,
  formatEventId,
  nilId,
  parseEventId,
} from '../../core/event-id.ts';
import { sequenceNone, toSequence } from '../../core/sequence.ts';
import type { JournalIdentity, JournalState } from '../engine/journal-store.ts';

/** What placing a cursor needs to know of a journal: what is flushed, nothing else. */
export interface PlacementView {
  readonly identity: JournalIdentity;
  readonly state: JournalState;
  /** Of a kept record; null in a hole. */
  idAt(sequence: number): EventId | null;
  /** The first kept record at or above a sequence, not above the newest. */
  next(sequence: number): { readonly sequence: number; readonly id: EventId } | null;
}

type Place = Pick<CursorPlacement, 'sequence' | 'id'>;

export function originId(identity: JournalIdentity): EventId {
  const last = identity.tags.at(-1);
  return formatEventId(identity.createdMs, sequenceNone, last?.tag ?? (0 as EventIdParts['tag']));
}

/**
 * Where a cursor stands.
 *
 * Ours by its tag: believed if the stored record has exactly this id, or retention has passed it. Foreign: by comparison of ids.
 * Cost: one read, or a binary search.
 */
export function placeCursor(view: PlacementView, cursor: string): CursorPlacement {
  if (cursor === nilId) return { verdict: 'placed', ...horizon(view) };
  const id = parseEventId(cursor);
  if (id === null) return { verdict: 'malformed', ...horizon(view) };
  const parts = eventIdParts(id);
  const life = view.identity.tags.findIndex(({ tag }) => tag === parts.tag);
  return life === -1 ? placeForeign(view, id) : placeOwn(view, id, parts, life);
}

function horizon({ state }: PlacementView): Place {
  return { sequence: toSequence(state.horizonSequence), id: state.horizonId };
}

function newest({ state }: PlacementView): Place {
  return { sequence: toSequence(state.newestSequence), id: state.newestId };
}

function placeOwn(view: PlacementView, id: EventId, parts: EventIdParts, life: number): CursorPlacement {
  const { state, identity } = view;
  const { sequence } = parts;
  if (sequence === 0) return parts.timeMs === identity.createdMs ? placeOrigin(view) : unknown(view, id);
  const first = identity.tags[life]?.first ?? 1;
  const end = identity.tags[life + 1]?.first ?? Number.POSITIVE_INFINITY;
  if (sequence < first || sequence >= end) return unknown(view, id);
  if (sequence > state.newestSequence) return { verdict: 'unknown-position', ...newest(view) };
  if (sequence < state.horizonSequence) return id < state.horizonId ? expired(view) : unknown(view, id);
  const stored = sequence === state.horizonSequence ? state.horizonId : view.idAt(sequence);
  return stored === id ? behindLosses(view, { sequence, id }) : unknown(view, id);
}

/** A position with a hole behind it that a repair left is no place to go on from as if nothing had happened: it stands, with a gap. */
function behindLosses({ identity }: PlacementView, place: Place): CursorPlacement {
  return { verdict: place.sequence < (identity.lostThrough ?? 0) ? 'unknown-position' : 'placed', ...place };
}

/** The origin of any life of this journal: before the first record. */
function placeOrigin(view: PlacementView): CursorPlacement {
  return view.state.horizonSequence > 0 ? expired(view) : behindLosses(view, horizon(view));
}

function placeForeign(view: PlacementView, id: EventId): CursorPlacement {
  const { state, identity } = view;
  if (id > state.newestId) return { verdict: 'unknown-position', ...newest(view) };
  // Older than the journal itself: what came before it is gone, if only with the journal before this one.
  if (id < originId(identity)) return expired(view);
  if (id < state.horizonId && state.horizonSequence > 0) return expired(view);
  return behindLosses(view, byComparison(view, id));
}

function expired(view: PlacementView): CursorPlacement {
  return { verdict: 'expired', ...horizon(view) };
}

function unknown(view: PlacementView, id: EventId): CursorPlacement {
  return { verdict: 'unknown-position', ...byComparison(view, id) };
}

/** The last position whose id is not above `id`; the horizon when all are. */
function byComparison(view: PlacementView, id: EventId): Place {
  let best = horizon(view);
  let low = view.state.horizonSequence + 1;
  let high = view.state.newestSequence;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const found = view.next(middle);
    if (found !== null && found.sequence <= high && found.id <= id) {
      best = { sequence: toSequence(found.sequence), id: found.id };
      low = found.sequence + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}
