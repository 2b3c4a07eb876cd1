import * as limits from '../../core/limits.ts';
import { storageEventsTopic } from '../record/record-codec.ts';
import { isUuidBytes, uuidBytes } from '../record/uuid-bytes.ts';
import { FieldCopy } from './field-copy.ts';
import { eventTag, type PlacedEvent, PlainBatch, recordRoomBytes } from './plain-batch.ts';
import { isStoredTime, storedTimeBytes } from './stored-time.ts';

/** The last field of a body: tag 12, length, text. */
const topicField = Buffer.from(`\x62${String.fromCharCode(storageEventsTopic.length)}${storageEventsTopic}`, 'latin1');
/** Tag and length of `time`. */
const timeHead = Uint8Array.of(eventTag.time, storedTimeBytes);
/** Bytes by which a body may be longer than its event, beside a second time its path: tag and length of `extension`, `time`, `topic`. */
const stampedBytesMax = 3 + 2 + storedTimeBytes + topicField.length;

/** Of core/event-json.ts: what a text may grow by, and what is around the texts of an event. */
const jsonEscapeFactor = 6;
const jsonFixedBytes = 512;

const slash = 0x2f;
const dot = 0x2e;
const underscore = 0x5f;
const digitZero = 0x30;
const digitNine = 0x39;
const lastAscii = 0x7f;
const metadataTag = { key: 0x0a, value: 0x12 } as const;
const keyBytesMax = Math.min(limits.metadataKeyBytesMax, 0x7f);
const metadataEntryBytesMax = 3 + limits.metadataKeyBytesMax + 3 + limits.metadataValueBytesMax;

/**
 * Reads an encoded PublishRequest of plain events and writes the body of each record in the same pass; nothing is made an object or a text
 * on the way.
 *
 *   event in the request    1 execution │ 2 stage │ 3 path │             │ 5 size … 8 uri │ [9 time] │ 10 metadata …
 *   body of the record      1 execution │ 2 stage │ 3 path │ 4 extension │ 5 size … 8 uri │  9 time  │ 10 metadata … │ 12 topic
 *
 * **Plain** is what nearly every event is: fields in the order of their numbers, each once at most, not empty and in its shortest form;
 * printable ASCII within its limits; a lower-case execution id; a time as it is stored; metadata whose keys an object would keep in their
 * order; no source_id, which is looked up by its text. Anything else, every fault and every change makes the whole request go the way of
 * objects (request-entries.ts), which also words the refusals.
 *
 * Invariant: a plain request has no fault there and becomes the same records, to the byte. Oracle: test/bus/plain-batch.test.ts.
 * Cost: a look or two at each byte. The scratch is used again; a batch has bytes of its own, so it does not hold the request.
 */
export class PlainScanner {
  readonly #fields = new FieldCopy(
    limits.batchBytesMax * 2 + limits.batchEventsMax * (recordRoomBytes + stampedBytesMax),
  );
  #executionId = '';
  /** Where the execution id of the event before stands in the copy; 0: there is none. */
  #executionAt = 0;
  /** What the texts of the event count for in its JSON. */
  #characters = 0;
  #time = '';
  /** Where the metadata keys of the event stand in the copy. */
  readonly #keys = new Uint32Array(limits.metadataKeysMax);

  /** Null: not plain, or no request at all. */
  scan(request: Buffer): PlainBatch | null {
    if (request.length === 0 || request.length > limits.batchBytesMax) return null;
    const fields = this.#fields;
    fields.begin(request);
    this.#executionAt = 0;
    const events: PlacedEvent[] = [];
    while (fields.at < request.length) {
      const entryEnd = fields.enter(request.length);
      const end = fields.enter(entryEnd);
      if (end < 0 || end !== entryEnd || events.length === limits.batchEventsMax) return null;
      fields.end = end;
      const event = this.#event();
      if (event === null) return null;
      events.push(event);
    }
    return new PlainBatch(fields.copied(), events);
  }

  #event(): PlacedEvent | null {
    this.#fields.out += recordRoomBytes;
    const bodyAt = this.#fields.out;
    this.#characters = 0;
    if (!this.#execution() || !this.#stage() || !this.#path()) return null;
    const size = this.#fields.number(eventTag.size);
    if (size < 0) return null;
    if (!this.#optional(eventTag.contentType, limits.shortTextBytesMax)) return null;
    if (!this.#optional(eventTag.checksum, limits.shortTextBytesMax)) return null;
    if (!this.#optional(eventTag.uri, limits.uriBytesMax)) return null;
    if (!this.#givenTime()) return null;
    const timeAt = this.#fields.out - storedTimeBytes;
    if (!this.#metadata() || this.#fields.at !== this.#fields.end) return null;
    if (this.#characters * jsonEscapeFactor + jsonFixedBytes > limits.eventJsonBytesMax) return null;
    this.#fields.put(topicField);
    return { bodyAt, bodyEnd: this.#fields.out, timeAt, time: this.#time, size, executionId: this.#executionId };
  }

  /** Most events of a batch are of the execution of the one before: then the id is only compared. */
  #execution(): boolean {
    const fields = this.#fields;
    if (fields.printable(eventTag.executionId, uuidBytes) !== uuidBytes) return false;
    const at = fields.out - uuidBytes;
    if (this.#executionAt === 0 || !sameBytes(fields.into, this.#executionAt, at, uuidBytes)) {
      if (!isUuidBytes(fields.view, at)) return false;
      this.#executionId = fields.into.toString('latin1', at, fields.out);
    }
    this.#executionAt = at;
    return true;
  }

  #stage(): boolean {
    const length = this.#fields.printable(eventTag.stage, limits.stageBytesMax);
    this.#characters += length;
    return length > 0 && this.#name(length, limits.stageSegmentsMax) > 0;
  }

  /** The path, and the extension behind it. */
  #path(): boolean {
    const length = this.#fields.printable(eventTag.path, limits.pathBytesMax);
    const nameAt = length < 0 ? -1 : this.#name(length, limits.pathSegmentsMax);
    if (nameAt < 0) return false;
    this.#characters += length * 2;
    this.#extension(nameAt);
    return true;
  }

  /** Where the last segment of the name just copied begins; -1 if one of them is empty, `.` or `..`, or if they are too many. */
  #name(length: number, segmentsMax: number): number {
    const into = this.#fields.into;
    const end = this.#fields.out;
    let segmentAt = end - length;
    let segments = 0;
    for (let at = segmentAt; ; at += 1) {
      if (at < end && into[at] !== slash) continue;
      const bytes = at - segmentAt;
      segments += 1;
      const dots = bytes <= 2 && into[segmentAt] === dot && into[at - 1] === dot;
      if (bytes === 0 || dots || segments > segmentsMax) return -1;
      if (at === end) return segmentAt;
      segmentAt = at + 1;
    }
  }

  /** Of the path just copied, whose file name begins at `nameAt`: from its last dot on, lower case, unless that comes first. */
  #extension(nameAt: number): void {
    const into = this.#fields.into;
    const end = this.#fields.out;
    let dotAt = end - 1;
    while (dotAt > nameAt && into[dotAt] !== dot) dotAt -= 1;
    if (dotAt <= nameAt) return;
    const length = end - dotAt;
    into[end] = eventTag.extension;
    let out = end + 1;
    if (length >= 0x80) {
      into[out] = (length & 0x7f) | 0x80;
      out += 1;
    }
    into[out] = length < 0x80 ? length : length >> 7;
    out += 1;
    for (let at = dotAt; at < end; at += 1, out += 1) {
      const byte = into[at] as number; // copied above
      into[out] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
    this.#fields.out = out;
  }

  #optional(tag: number, bytesMax: number): boolean {
    if (!this.#fields.has(tag)) return true;
    const length = this.#fields.printable(tag, bytesMax);
    this.#characters += length;
    return length > 0;
  }

  /** The time as it is stored, or its place. */
  #givenTime(): boolean {
    const fields = this.#fields;
    this.#time = '';
    if (!fields.has(eventTag.time)) {
      fields.put(timeHead);
      fields.out += storedTimeBytes;
      return true;
    }
    if (fields.printable(eventTag.time, storedTimeBytes) !== storedTimeBytes) return false;
    const at = fields.out - storedTimeBytes;
    if (!isStoredTime(fields.into, at)) return false;
    this.#time = fields.into.toString('latin1', at, fields.out);
    return true;
  }

  /** Entries of a key and a value each. Places of keys are kept to find one that comes twice: there the last value counts. */
  #metadata(): boolean {
    const fields = this.#fields;
    const keys = this.#keys;
    let count = 0;
    const eventEnd = fields.end;
    while (fields.has(eventTag.metadata)) {
      const length = fields.open(eventTag.metadata, metadataEntryBytesMax);
      if (length < 0 || count === limits.metadataKeysMax) return false;
      fields.end = fields.at + length;
      const keyBytes = this.#key();
      if (keyBytes < 0) return false;
      keys[count] = fields.out - keyBytes;
      for (let other = 0; other < count; other += 1) {
        // The byte before a key is its length: equal keys are equal from there on.
        if (sameBytes(fields.into, (keys[other] as number) - 1, fields.out - keyBytes - 1, keyBytes + 1)) return false;
      }
      const valueBytes = fields.open(metadataTag.value, limits.metadataValueBytesMax);
      if (valueBytes < 0 || !fields.copy(valueBytes, 0, lastAscii) || fields.at !== fields.end) return false;
      this.#characters += keyBytes + valueBytes + 2;
      fields.end = eventEnd;
      count += 1;
    }
    return true;
  }

  /** Not one that an object treats apart: a number (it goes to the front) or `__proto__`. Up to 127 bytes, so that its length is one. */
  #key(): number {
    const fields = this.#fields;
    const length = fields.printable(metadataTag.key, keyBytesMax);
    if (length < 0) return -1;
    const first = fields.into[fields.out - length] as number; // it has a byte
    const special =
      (first >= digitZero && first <= digitNine) ||
      (first === underscore && fields.into[fields.out - length + 1] === underscore);
    return special ? -1 : length;
  }
}

function sameBytes(bytes: Uint8Array, left: number, right: number, length: number): boolean {
  for (let index = 0; index < length; index += 1) if (bytes[left + index] !== bytes[right + index]) return false;
  return true;
}
