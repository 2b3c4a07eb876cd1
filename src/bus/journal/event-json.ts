import { extensionOf, type StorageEventInput, storageEventType } from '../../core/event.ts';
import { nilId } from '../../core/event-id.ts';
import { eventJsonBytesMax } from '../../core/limits.ts';

/** JSON writes a character of one byte as at most six (`\u0000`). */
const escapeFactor = 6;
/** Keys, quotes, id, type, time and the digits of size. */
const fixedBytes = 512;
const someTime = '2026-01-01T00:00:00.000Z';

/**
 * Bytes of the event as the JSON of its `data:` line (DESIGN section 3), or any upper bound that is within the limit: the text itself is
 * built only for an event that might be too large.
 */
export function eventJsonBytes(event: StorageEventInput): number {
  const { stage, path, metadata = {}, content_type = '', checksum = '', uri = '' } = event;
  let characters = stage.length + path.length * 2 + content_type.length + checksum.length + uri.length;
  for (const [key, value] of Object.entries(metadata)) characters += key.length + value.length + 2;
  const bound = characters * escapeFactor + fixedBytes;
  if (bound <= eventJsonBytesMax) return bound;
  const computed = { id: nilId, type: storageEventType, extension: extensionOf(path), time: event.time ?? someTime };
  return Buffer.byteLength(JSON.stringify({ ...event, ...computed, source_id: undefined }));
}
