import type { CursorRequest } from '../../contract/stream.ts';
import { nilId, parseEventId } from '../../core/event-id.ts';
import { gapRequestedCharactersMax } from '../../core/limits.ts';

/** One text as a cursor: `earliest` or the nil UUID, `latest`, a UUIDv7 in any case; null when it is none of them. */
function parseCursor(text: string): CursorRequest | null {
  if (text === 'earliest' || text === nilId) return { kind: 'earliest' };
  if (text === 'latest') return { kind: 'live' };
  const id = parseEventId(text);
  return id === null ? null : { kind: 'after', id };
}

/**
 * Where a request starts. A valid `Last-Event-ID` header wins; a malformed one gives way to a valid `last_event_id`; an empty
 * text, which an EventSource never sends, counts as absent. Valid are UUIDv7 only: no other version carries a position in time.
 */
export function resolveCursor(header: string, query: string | null): CursorRequest {
  const text = query ?? '';
  const first = header === '' ? null : parseCursor(header);
  if (first !== null) return first;
  const second = text === '' ? null : parseCursor(text);
  if (second !== null) return second;
  const malformed = header === '' ? text : header;
  if (malformed === '') return { kind: 'live' };
  return { kind: 'malformed', text: malformed.slice(0, gapRequestedCharactersMax).toWellFormed() };
}
