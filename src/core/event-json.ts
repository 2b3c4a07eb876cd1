import { extensionOf, type StorageEventInput, storageEventType } from './event.ts';
import { nilId } from './event-id.ts';
import { eventJsonBytesMax } from './limits.ts';

/** A byte of text becomes at most six of JSON (`\u0000`). */
const escapeFactor = 6;
/** Keys, quotes, id, type, time and the digits of size. */
const fixedBytes = 512;
/** The computed fields have a fixed length. */
const someTime = '2026-01-01T00:00:00.000Z';

/** What some line splitters take for the end of a line although JSON does not escape it. */
const lineEnds = /[\u0085\u2028\u2029]/g;

/** Escapes U+0085, U+2028 and U+2029 as JSON may: Python's `splitlines` and old JavaScript end a line at them. */
export function escapeLineEnds(json: string): string {
  return json.replace(lineEnds, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Bytes of the event as its `data:` line, or any upper bound that is within the limit: the text itself is built only for an event
 * that might be too large.
 */
export function eventJsonBytes(event: StorageEventInput): number {
  const { stage, path, metadata = {}, content_type = '', checksum = '', uri = '' } = event;
  let characters = stage.length + path.length * 2 + content_type.length + checksum.length + uri.length;
  for (const [key, value] of Object.entries(metadata)) characters += key.length + value.length + 2;
  const bound = characters * escapeFactor + fixedBytes;
  if (bound <= eventJsonBytesMax) return bound;
  const computed = { id: nilId, type: storageEventType, extension: extensionOf(path), time: event.time ?? someTime };
  return Buffer.byteLength(escapeLineEnds(JSON.stringify({ ...event, ...computed, source_id: undefined })));
}

/** Why the event as a whole is refused, or null. */
export function eventSizeFault(event: StorageEventInput): string | null {
  const bytes = eventJsonBytes(event);
  return bytes <= eventJsonBytesMax
    ? null
    : `the event as JSON must be at most ${eventJsonBytesMax} bytes, is ${bytes}`;
}
