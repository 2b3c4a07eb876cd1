import type { CursorPlacement, EventJournal } from '../../contract/journal.ts';
import { type EventId, eventIdParts, parseEventId } from '../../core/event-id.ts';
import { InvalidInputError } from '../../core/failure.ts';
import { isSequence, type Sequence } from '../../core/sequence.ts';
import type { PositionMessage } from '../../wire/bus/bus-messages.ts';
import { PositionError } from '../../wire/grpc/position-error.ts';

export interface StartPosition {
  readonly sequence: Sequence;
  readonly id: EventId | '';
}

const invalid = (field: readonly string[], reason: string): InvalidInputError =>
  new InvalidInputError([{ field: ['from', ...field], reason }]);

export function positionError(journal: EventJournal, code: 'too-old' | 'identity', detail: string): PositionError {
  const { horizonSequence, journalId, tag } = journal.describe();
  return new PositionError(code, detail, { oldestSequence: horizonSequence + 1, journalId, journalTag: tag });
}

/** Where a Subscribe starts. Throws InvalidInputError or PositionError. */
export async function startPosition(journal: EventJournal, from: PositionMessage | null): Promise<StartPosition> {
  if (from?.after !== undefined) return afterRecord(journal, from.after);
  if (from?.after_id !== undefined) return placed(journal, await journal.place(from.after_id));
  const { newestSequence, newestId, horizonSequence, horizonId } = journal.describe();
  if (from?.newest === true) return { sequence: newestSequence, id: newestId };
  if (from?.oldest === true) return { sequence: horizonSequence, id: horizonId };
  if (from?.last_bytes === undefined) throw invalid([], 'must say where to start');
  const sequence = await journal.beforeLastBytes(from.last_bytes);
  return { sequence, id: (await journal.idAt(sequence)) ?? '' };
}

function placed(journal: EventJournal, placement: CursorPlacement): StartPosition {
  switch (placement.verdict) {
    case 'placed':
      return placement;
    case 'expired':
      throw positionError(journal, 'too-old', 'records after this id are no longer kept');
    case 'unknown-position':
      throw positionError(journal, 'identity', 'the id is not a position of this journal');
    case 'malformed':
      throw invalid(['after_id'], 'must be a UUIDv7');
  }
}

async function afterRecord(
  journal: EventJournal,
  after: { readonly sequence: number; readonly id: string },
): Promise<StartPosition> {
  const { sequence } = after;
  if (!isSequence(sequence)) throw invalid(['after', 'sequence'], 'must be a sequence, at most 2^52-1');
  const id = after.id === '' ? null : parseEventId(after.id);
  if (after.id !== '' && id === null) throw invalid(['after', 'id'], 'must be a UUIDv7, or empty');
  if (id !== null && !journal.hasTag(eventIdParts(id).tag)) {
    throw positionError(journal, 'identity', 'the id is of another journal');
  }
  const { newestSequence, horizonSequence } = journal.describe();
  if (sequence > newestSequence) throw positionError(journal, 'identity', 'the position is beyond this journal');
  if (sequence < horizonSequence) throw positionError(journal, 'too-old', 'records after it are no longer kept');
  const stored = await journal.idAt(sequence);
  if (id !== null) await refuseAnother(journal, id, { sequence, stored });
  return { sequence, id: stored ?? '' };
}

/** Refuses a position that is not what stands there, or behind which records were lost to damage. */
async function refuseAnother(
  journal: EventJournal,
  id: EventId,
  { sequence, stored }: { readonly sequence: number; readonly stored: EventId | null },
): Promise<void> {
  if (id !== stored && !(sequence === 0 && isOrigin(journal, id))) {
    throw positionError(journal, 'identity', 'another record stands at this sequence');
  }
  if ((await journal.place(id)).verdict === 'unknown-position') {
    throw positionError(journal, 'identity', 'records behind this position were lost to damage');
  }
}

/** Of any life of this journal. */
function isOrigin(journal: EventJournal, id: EventId): boolean {
  const { timeMs, sequence } = eventIdParts(id);
  return sequence === 0 && timeMs === journal.describe().createdMs;
}
