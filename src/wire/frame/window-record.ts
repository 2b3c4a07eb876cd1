import { type EventId, formatEventId, type JournalTag } from '../../core/event-id.ts';
import { type ExecutionStatus, executionStatuses } from '../../core/execution.ts';
import type { Sequence } from '../../core/sequence.ts';
import { WireError } from '../record/wire-error.ts';

/**
 * One record as it stands in the window and in blocks of history. Little-endian; begins and ends at a multiple of 8 bytes.
 *
 *   byte  0         4      5        6       7      8           16         24      28       30      32       36            72
 *        | length  | kind | status | flags | 0    | sequence  | timeMs   | tag   | stage  | path  | frame  | execution   | stage | path | frame | 0…
 *        | u32     | u8   | u8     | u8    |      | f64       | f64      | u32   | u16    | u16   | u32    | 36 x ASCII  |
 *
 * `length` is the whole, padding included; `stage`, `path`, `frame` at 28, 30, 32 are lengths of the bytes from 72 on.
 * kind 0 (skip) has only length and kind: it fills the ring to its end. kind 1 (event): `frame` is the finished SSE frame.
 * kind 2 (change): stage and path are empty, `frame` is the JSON array of the newly added tags, `status` an index of
 * `executionStatuses`, bit 0 of `flags` says whether the status changed. `timeMs` and `tag` are those of the id.
 */
export const recordKind = { skip: 0, event: 1, change: 2 } as const;
export type RecordKind = (typeof recordKind)[keyof typeof recordKind];

const recordAlignment = 8;
export const recordHeaderBytes = 72;
/** Length, kind and padding. */
export const skipHeaderBytes = 8;

export const recordAt = {
  length: 0,
  kind: 4,
  status: 5,
  flags: 6,
  sequence: 8,
  timeMs: 16,
  tag: 24,
  stageBytes: 28,
  pathBytes: 30,
  frameBytes: 32,
  executionId: 36,
} as const;

export const flagStatusChanged = 1;

/** Bytes of a record with so much content. */
export function recordBytes(contentBytes: number): number {
  return Math.ceil((recordHeaderBytes + contentBytes) / recordAlignment) * recordAlignment;
}

/**
 * Looks at one record of a buffer at a time, without copying it.
 *
 * Invariant V1: after `moveTo` answered true, every getter and method reads inside the record and the record inside the bytes
 * attached; checked by test/wire/window-record.test.ts on arbitrary bytes. Before, or after false, the answers mean nothing.
 */
export class RecordView {
  #buffer: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #bytes = 0;
  #at = 0;
  #length = 0;
  #kind: RecordKind = recordKind.skip;

  /** Looks at the first `bytes` of `buffer` from now on. Cheap when the buffer is the same as before. */
  attach(buffer: Buffer, bytes: number): void {
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    this.#bytes = Math.min(bytes, buffer.length);
    this.#length = 0;
  }

  /** Stands on the record at `offset`; false when there is no whole record. Never throws; the next one is at `offset + length`. */
  moveTo(offset: number): boolean {
    const room = this.#bytes - offset;
    if (!(offset >= 0 && room >= skipHeaderBytes)) return false;
    const length = this.#view.getUint32(offset + recordAt.length, true);
    if (length < skipHeaderBytes || length > room || length % recordAlignment !== 0) return false;
    const kind = this.#view.getUint8(offset + recordAt.kind);
    if (kind !== recordKind.skip && !this.#whole(offset, length, kind)) return false;
    this.#at = offset;
    this.#length = length;
    this.#kind = kind as RecordKind; // the two others are checked by #whole
    return true;
  }

  /** What it looks at; `frameStart` and `frameEnd` are places in it. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** Bytes of the record, padding included. */
  get length(): number {
    return this.#length;
  }
  get kind(): RecordKind {
    return this.#kind;
  }
  /** 0 for a skip record. */
  get sequence(): Sequence {
    return (this.#kind === recordKind.skip ? 0 : this.#view.getFloat64(this.#at + recordAt.sequence, true)) as Sequence;
  }
  get timeMs(): number {
    return this.#kind === recordKind.skip ? 0 : this.#view.getFloat64(this.#at + recordAt.timeMs, true);
  }
  get tag(): JournalTag {
    return (this.#kind === recordKind.skip ? 0 : this.#view.getUint32(this.#at + recordAt.tag, true)) as JournalTag;
  }
  /** Of a change: the status that results. An event or a skip answers `pending`; ask only a change. */
  get status(): ExecutionStatus {
    return executionStatuses[this.#view.getUint8(this.#at + recordAt.status)] ?? 'pending';
  }
  get statusChanged(): boolean {
    return (this.#view.getUint8(this.#at + recordAt.flags) & flagStatusChanged) !== 0;
  }
  /** Places in the buffer of an event's stage and path, in UTF-8; the path ends at `frameStart`. */
  get stageStart(): number {
    return this.#kind === recordKind.skip ? this.#at : this.#at + recordHeaderBytes;
  }
  get pathStart(): number {
    return this.#kind === recordKind.skip ? this.#at : this.#at + recordHeaderBytes + this.#stageBytes();
  }
  /** Place in the buffer of the SSE frame of an event. */
  get frameStart(): number {
    if (this.#kind === recordKind.skip) return this.#at;
    return this.pathStart + this.#pathBytes();
  }
  get frameEnd(): number {
    if (this.#kind === recordKind.skip) return this.#at;
    return this.frameStart + this.#view.getUint32(this.#at + recordAt.frameBytes, true);
  }

  executionId(): string {
    if (this.#kind === recordKind.skip) return '';
    return this.#buffer.toString('latin1', this.#at + recordAt.executionId, this.#at + recordHeaderBytes);
  }

  stage(): string {
    if (this.#kind === recordKind.skip) return '';
    const start = this.#at + recordHeaderBytes;
    return this.#buffer.toString('utf8', start, start + this.#stageBytes());
  }

  path(): string {
    if (this.#kind === recordKind.skip) return '';
    const start = this.#at + recordHeaderBytes + this.#stageBytes();
    return this.#buffer.toString('utf8', start, start + this.#pathBytes());
  }

  /** The tags that a change added; empty for an event. Throws WireError `malformed` when the bytes are no JSON array of texts. */
  tags(): readonly string[] {
    if (this.#kind !== recordKind.change) return [];
    const text = this.#buffer.toString('utf8', this.frameStart, this.frameEnd);
    try {
      const tags: unknown = JSON.parse(text);
      if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
    } catch (cause) {
      throw new WireError('malformed', 'the tags of a record are no JSON', { cause });
    }
    throw new WireError('malformed', 'the tags of a record are no array of texts');
  }

  /** Built from the parts: the record keeps no text of it. */
  id(): EventId {
    return formatEventId(this.timeMs, this.sequence, this.tag);
  }

  #stageBytes(): number {
    return this.#view.getUint16(this.#at + recordAt.stageBytes, true);
  }

  #pathBytes(): number {
    return this.#view.getUint16(this.#at + recordAt.pathBytes, true);
  }

  #whole(offset: number, length: number, kind: number): boolean {
    if ((kind !== recordKind.event && kind !== recordKind.change) || length < recordHeaderBytes) return false;
    const view = this.#view;
    const content =
      view.getUint16(offset + recordAt.stageBytes, true) +
      view.getUint16(offset + recordAt.pathBytes, true) +
      view.getUint32(offset + recordAt.frameBytes, true);
    return (
      recordHeaderBytes + content <= length &&
      view.getUint8(offset + recordAt.status) < executionStatuses.length &&
      Number.isInteger(view.getFloat64(offset + recordAt.sequence, true)) &&
      Number.isInteger(view.getFloat64(offset + recordAt.timeMs, true))
    );
  }
}
