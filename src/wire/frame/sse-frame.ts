import { isUtf8 } from 'node:buffer';
import { assert } from '../../core/assert.ts';
import { storageEventType } from '../../core/event.ts';
import { escapeLineEnds } from '../../core/event-json.ts';
import { hasControl } from '../../core/execution.ts';
import { eventJsonBytesMax } from '../../core/limits.ts';
import type { RecordReader } from '../record/record-reader.ts';
import { eventField, type RecordSpans } from '../record/record-spans.ts';
import { uuidBytes } from '../record/uuid-bytes.ts';
import { WireError } from '../record/wire-error.ts';
import { type Constant, constantOf, copyAscii, copyPlainText, putConstant, type ViewedBytes } from './word-copy.ts';

/** A comment line with ONE newline: anything with a blank line makes some clients emit a phantom event. */
export const heartbeat: Buffer = Buffer.from(':\n');

/** Names of the frames that are not storage events. Never `error`, `open` or `message`: an EventSource fires those itself. */
export type ControlEvent = 'ready' | 'gap' | 'done';

/** One byte of text becomes at most six: `\u0000`. */
const escapeGrowth = 6;
/** `id:`, `event:`, the keys, quotes, commas, the number and the two ids: 377 bytes when every key is present; and `constantSlackBytes`. */
const frameSkeletonBytes = 512;
/** `,"":""` and the comma of each metadata entry. */
const metadataEntrySkeletonBytes = 8;

/** What stands before, between and behind the two times that the id stands in a frame, and before the execution id. */
const frameOpen = constantOf('id: ');
const dataOpen = constantOf(`\nevent: ${storageEventType}\ndata: {"id":"`);
const executionOpen = constantOf(`","type":"${storageEventType}","execution_id":"`);
const frameEnd = constantOf('}\n\n');
const metadataOpen = constantOf(',"metadata":{');

/** The text before each value, by field number; size is a number and has no quotes. */
const fieldOpen: readonly Constant[] = [
  '',
  '',
  ',"stage":"',
  ',"path":"',
  ',"extension":"',
  ',"size":',
  ',"content_type":"',
  ',"checksum":"',
  ',"uri":"',
  ',"time":"',
].map(constantOf);

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const closeBrace = 0x7d;
const zero = 0x30;

/** What a byte inside a JSON string needs. */
const plain = 0;
const escaped = 1;
const mayBeNextLine = 2; // 0xC2: C2 85 is U+0085
const mayBeSeparator = 3; // 0xE2: E2 80 A8 and A9 are U+2028 and U+2029
const needs = new Uint8Array(256);
const escapes: (Buffer | undefined)[] = [];
for (let byte = 0; byte < 0x80; byte += 1) {
  const json = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  if (json.length > 1) {
    needs[byte] = escaped;
    escapes[byte] = Buffer.from(json);
  }
}
needs[0xc2] = mayBeNextLine;
needs[0xe2] = mayBeSeparator;
const nextLine = Buffer.from('\\u0085');
const lineSeparator = Buffer.from('\\u2028');
const paragraphSeparator = Buffer.from('\\u2029');

/**
 * Bytes that the frame of the reader's current event takes at most. Throws WireError `record-too-large` when its texts alone pass
 * `eventJsonBytesMax`, so the answer is below 6 x 64 KiB + 1 KiB.
 */
export function eventFrameBound(reader: RecordReader): number {
  const { start, end, metadata, metadataCount } = reader.spans;
  let textBytes = 0;
  for (let field = 1; field < eventField.metadata; field += 1) {
    textBytes += (end[field] as number) - (start[field] as number); // the arrays have 16 places
  }
  for (let at = 0; at < metadataCount * 4; at += 2) {
    textBytes += (metadata[at + 1] as number) - (metadata[at] as number); // 4 numbers an entry
  }
  if (textBytes > eventJsonBytesMax) {
    throw new WireError('record-too-large', `event ${reader.sequence} has ${textBytes} bytes of text`);
  }
  return textBytes * escapeGrowth + metadataCount * metadataEntrySkeletonBytes + frameSkeletonBytes;
}

/**
 * Writes the finished SSE frame of the reader's current event and answers where it ends:
 *
 *   id: 0199…\nevent: storage.object.created\ndata: {"id":"0199…","type":"storage.object.created","execution_id":…}\n\n
 *
 * Keys in the order of the contract (`StorageEvent` in openapi.json); absent texts and an empty `metadata` are left out; metadata in wire order, of equal keys the
 * first place and the last value (as an object that is assigned twice). JSON escapes, and U+0085, U+2028, U+2029 as `\u`: no byte of
 * a text can end the line, whatever a line splitter takes for a line end.
 *
 * @param into has `eventFrameBound(reader)` bytes from `at`; may stand over shared memory
 * Cost: one pass over the bytes, four at a time while they are plain; no allocation unless a text is not ASCII.
 * Fails: WireError `invalid-utf8`; what was written so far is no frame.
 */
export function writeEventFrame(reader: RecordReader, into: ViewedBytes, at: number): number {
  const spans = reader.spans;
  const { view: from, start, end, idStart } = spans;
  let place = putConstant(frameOpen, into.view, at);
  // The reader has checked both ids.
  place = putUuid(from, idStart, into.view, place);
  place = putConstant(dataOpen, into.view, place);
  place = putUuid(from, idStart, into.view, place);
  place = putConstant(executionOpen, into.view, place);
  place = putUuid(from, reader.executionIdStart, into.view, place);
  into.bytes[place] = quote;
  place += 1;
  for (let field: number = eventField.stage; field < eventField.metadata; field += 1) {
    if (field === eventField.size) {
      place = putSize(spans, into, place);
      continue;
    }
    const textStart = start[field] as number; // the arrays have 16 places
    const textEnd = end[field] as number;
    if (textStart === textEnd && field > eventField.path) continue;
    place = putConstant(fieldOpen[field] as Constant, into.view, place); // one for each field below metadata
    place = putText(spans, textStart, textEnd, into, place);
    into.bytes[place] = quote;
    place += 1;
  }
  if (spans.metadataCount > 0) place = putMetadata(spans, into, place);
  return putConstant(frameEnd, into.view, place);
}

/**
 * A frame that is not a storage event: `id` (unless null), `event`, `retry` (if given), `data`. The JSON begins with `"type"`.
 * @param data plain JSON without a key `type`
 */
export function controlFrame(event: ControlEvent, data: object, id: string | null, retryMs?: number): Buffer {
  assert(id === null || !hasControl(id), 'an id of a frame holds no control character');
  const json = escapeLineEnds(JSON.stringify({ type: event, ...data }));
  const idLine = id === null ? '' : `id: ${id}\n`;
  const retryLine = retryMs === undefined ? '' : `retry: ${retryMs}\n`;
  return Buffer.from(`${idLine}event: ${event}\n${retryLine}data: ${json}\n\n`);
}

function putUuid(from: DataView, start: number, into: DataView, at: number): number {
  copyAscii(from, start, uuidBytes, into, at);
  return at + uuidBytes;
}

function put(from: Buffer, into: Buffer, at: number): number {
  for (let index = 0; index < from.length; index += 1) into[at + index] = from[index] as number; // inside the buffer
  return at + from.length;
}

function putText(from: ViewedBytes, start: number, end: number, into: ViewedBytes, at: number): number {
  if (copyPlainText(from.view, start, end, into.view, at)) return at + end - start;
  return putAnyText(from.bytes, start, end, into.bytes, at);
}

/** Byte by byte: for the text that has something to escape, or characters beyond ASCII. */
function putAnyText(from: Buffer, start: number, end: number, into: Buffer, at: number): number {
  let place = at;
  let seen = 0;
  for (let index = start; index < end; index += 1) {
    const byte = from[index] as number; // the caller bounds the range
    seen |= byte;
    const need = needs[byte] as number; // a byte is an index of the table
    if (need !== plain) {
      const escape = escapeAt(from, index, end);
      if (escape !== undefined) {
        place = put(escape, into, place);
        index += need === escaped ? 0 : need - 1; // the bytes of the character beyond the first: one of U+0085, two of U+2028
        continue;
      }
    }
    into[place] = byte;
    place += 1;
  }
  if (seen >= 0x80 && !isUtf8(from.subarray(start, end))) throw new WireError('invalid-utf8', 'a text is not UTF-8');
  return place;
}

function escapeAt(from: Buffer, index: number, end: number): Buffer | undefined {
  const byte = from[index] as number; // the caller bounds it
  const need = needs[byte];
  if (need === escaped) return escapes[byte];
  if (need === mayBeNextLine) return index + 1 < end && from[index + 1] === 0x85 ? nextLine : undefined;
  if (index + 2 >= end || from[index + 1] !== 0x80) return undefined;
  if (from[index + 2] === 0xa8) return lineSeparator;
  return from[index + 2] === 0xa9 ? paragraphSeparator : undefined;
}

function putSize(spans: RecordSpans, into: ViewedBytes, at: number): number {
  if (spans.size === null) return at;
  const place = putConstant(fieldOpen[eventField.size] as Constant, into.view, at); // one for each field below metadata
  let digits = 1;
  for (let bound = 10; bound <= spans.size; bound *= 10) digits += 1;
  let rest = spans.size;
  for (let index = place + digits - 1; index >= place; index -= 1) {
    const digit = rest % 10;
    into.bytes[index] = zero + digit;
    rest = (rest - digit) / 10; // exact: a quotient rounded down from the fraction is not, near 2^53
  }
  return place + digits;
}

function putMetadata(spans: RecordSpans, into: ViewedBytes, at: number): number {
  const { metadata, metadataCount } = spans;
  const { bytes } = into;
  let place = putConstant(metadataOpen, into.view, at);
  let written = 0;
  for (let entry = 0; entry < metadataCount; entry += 1) {
    if (firstOfKey(spans, entry) !== entry) continue;
    const value = lastOfKey(spans, entry) * 4 + 2;
    if (written > 0) {
      bytes[place] = comma;
      place += 1;
    }
    written += 1;
    bytes[place] = quote;
    // Four numbers an entry; `entry` and `value` are below the count.
    place = putText(spans, metadata[entry * 4] as number, metadata[entry * 4 + 1] as number, into, place + 1);
    bytes[place] = quote;
    bytes[place + 1] = colon;
    bytes[place + 2] = quote;
    place = putText(spans, metadata[value] as number, metadata[value + 1] as number, into, place + 3);
    bytes[place] = quote;
    place += 1;
  }
  bytes[place] = closeBrace;
  return place + 1;
}

function firstOfKey(spans: RecordSpans, entry: number): number {
  for (let other = 0; other < entry; other += 1) if (sameKey(spans, other, entry)) return other;
  return entry;
}

function lastOfKey(spans: RecordSpans, entry: number): number {
  for (let other = spans.metadataCount - 1; other > entry; other -= 1) if (sameKey(spans, other, entry)) return other;
  return entry;
}

function sameKey({ bytes, metadata }: RecordSpans, one: number, other: number): boolean {
  const oneStart = metadata[one * 4] as number; // four numbers an entry, both below the count
  const otherStart = metadata[other * 4] as number;
  const length = (metadata[one * 4 + 1] as number) - oneStart;
  if ((metadata[other * 4 + 1] as number) - otherStart !== length) return false;
  for (let index = 0; index < length; index += 1) {
    if (bytes[oneStart + index] !== bytes[otherStart + index]) return false;
  }
  return true;
}
