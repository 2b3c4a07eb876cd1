import type { Gap, Joined, JournalPosition, ResolvedValue } from '../contract/shard-messages.ts';
import type { CursorRequest } from '../contract/stream.ts';
import type { JournalDescription } from '../contract/upstream.ts';
import type { WindowStatus } from '../contract/window.ts';
import { type EventId, eventIdParts, formatEventId } from '../core/event-id.ts';
import { gapRequestedCharactersMax } from '../core/limits.ts';
import type { Sequence } from '../core/sequence.ts';
import type { ExecutionRegistry } from '../executions/registry.ts';

/** Where a stream starts, once that is known. `start` null: at the head. */
export interface Start {
  readonly start: JournalPosition | null;
  readonly gap: Gap | null;
}

/** At the head, wherever that is when the join is answered. */
export const atHead: Start = { start: null, gap: null };

/** Where it starts as far as this router can tell alone; null: the bus has to be asked. */
export function placedHere(window: WindowStatus, cursor: CursorRequest): Start | null {
  if (cursor.kind === 'live') return atHead;
  if (cursor.kind !== 'after') return null;
  const id = cursor.id as EventId;
  const { sequence } = eventIdParts(id);
  return window.idAt(sequence) === id ? { start: { sequence, id }, gap: null } : null;
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

/** Whether all that such a stream watches may be over at its start, so that nothing is left for it: with and without control events. */
export function completenessOf(
  registry: ExecutionRegistry,
  cursor: CursorRequest,
  placed: Start,
  values: readonly ResolvedValue[],
): Pick<Joined, 'mayBeComplete' | 'mayBeCompletePlain'> {
  if (cursor.kind !== 'after' || placed.gap !== null || placed.start === null) {
    return { mayBeComplete: false, mayBeCompletePlain: false };
  }
  const lastTerminal = registry.greatestTerminal(executionIdsOf(values));
  if (lastTerminal === null) return { mayBeComplete: false, mayBeCompletePlain: false };
  return { mayBeComplete: placed.start.sequence >= lastTerminal, mayBeCompletePlain: true };
}

function* executionIdsOf(values: readonly ResolvedValue[]): Generator<string, void> {
  for (const { executions } of values) for (const { executionId } of executions) yield executionId;
}
