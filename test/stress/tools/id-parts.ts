import { eventIdParts, parseEventId } from '../../../src/core/event-id.ts';
import { hold } from '../scenario.ts';

/** What an id says: time, sequence and tag of the journal. Fails for what is no UUIDv7. */
export function partsOf(id: string): ReturnType<typeof eventIdParts> {
  const parsed = parseEventId(id);
  hold(parsed !== null, `${id} is no UUIDv7`);
  return eventIdParts(parsed);
}
