import { executionStatuses } from '../../core/execution.ts';
import { pathBytesMax, stageBytesMax, windowRecordBytesMax } from '../../core/limits.ts';
import type { RecordReader } from '../record/record-reader.ts';
import { eventField } from '../record/record-spans.ts';
import { uuidBytes } from '../record/uuid-bytes.ts';
import { WireError } from '../record/wire-error.ts';
import { eventFrameBound, writeEventFrame } from './sse-frame.ts';
import { flagStatusChanged, recordAt, recordBytes, recordHeaderBytes, recordKind } from './window-record.ts';
import { copyAscii, copyBytes, type ViewedBytes, viewed } from './word-copy.ts';

/**
 * Turns the current record of a RecordReader into the layout of window-record.ts, in private memory: whoever keeps it copies
 * `bytes.subarray(0, n)` in one piece. So a record that fails half-way never touches the ring, and its length is known before room is made.
 */
export class RecordEncoder {
  #into: ViewedBytes = viewed(Buffer.alloc(Math.ceil(windowRecordBytesMax / 4) * 8));
  #words: BigInt64Array = wordsOf(this.#into.bytes);

  /** Holds the last record encoded; a new one overwrites it. */
  get bytes(): Buffer {
    return this.#into.bytes;
  }

  /** The same, eight bytes at a time, least address first: for a copy that stays in compiled code. */
  get words(): BigInt64Array {
    return this.#words;
  }

  /**
   * Encodes the reader's current record and answers its length, a multiple of 8 and at most `windowRecordBytesMax`.
   * Fails: WireError `record-too-large`, `invalid-utf8`. Cost: one pass over the bytes, no allocation.
   */
  encode(reader: RecordReader): number {
    const change = reader.change;
    const contentBytes = change === null ? this.#event(reader) : this.#change(reader, JSON.stringify(change.tags));
    const length = recordBytes(contentBytes);
    if (length > windowRecordBytesMax) {
      throw new WireError('record-too-large', `record ${reader.sequence} has ${length} bytes`);
    }
    const { view, bytes } = this.#into;
    for (let place = recordHeaderBytes + contentBytes; place < length; place += 1) bytes[place] = 0;
    view.setUint32(recordAt.length, length, true);
    view.setUint32(recordAt.kind, 0, true); // kind, status, flags and the spare byte at once
    view.setUint8(recordAt.kind, change === null ? recordKind.event : recordKind.change);
    if (change !== null) {
      view.setUint8(recordAt.status, executionStatuses.indexOf(change.status));
      view.setUint8(recordAt.flags, change.statusChanged ? flagStatusChanged : 0);
    }
    view.setFloat64(recordAt.sequence, reader.sequence, true);
    view.setFloat64(recordAt.timeMs, reader.timeMs, true);
    view.setUint32(recordAt.tag, reader.tag, true);
    copyAscii(reader.spans.view, reader.executionIdStart, uuidBytes, view, recordAt.executionId);
    return length;
  }

  #event(reader: RecordReader): number {
    const { view, start, end } = reader.spans;
    const stageStart = start[eventField.stage] as number; // the arrays have 16 places
    const stageLength = (end[eventField.stage] as number) - stageStart;
    const pathStart = start[eventField.path] as number;
    const pathLength = (end[eventField.path] as number) - pathStart;
    if (stageLength > stageBytesMax || pathLength > pathBytesMax) {
      throw new WireError('record-too-large', `event ${reader.sequence} has a stage or path beyond its limit`);
    }
    const stageAt = recordHeaderBytes;
    const pathAt = stageAt + stageLength;
    const frameAt = pathAt + pathLength;
    this.#reserve(frameAt + eventFrameBound(reader));
    const into = this.#into;
    const frameEnd = writeEventFrame(reader, into, frameAt);
    copyBytes(view, stageStart, stageLength, into.view, stageAt);
    copyBytes(view, pathStart, pathLength, into.view, pathAt);
    this.#lengths(stageLength, pathLength, frameEnd - frameAt);
    return frameEnd - recordHeaderBytes;
  }

  #change(reader: RecordReader, tags: string): number {
    const frameBytes = Buffer.byteLength(tags);
    if (frameBytes > windowRecordBytesMax) {
      throw new WireError('record-too-large', `change ${reader.sequence} has ${frameBytes} bytes of tags`);
    }
    this.#into.bytes.write(tags, recordHeaderBytes);
    this.#lengths(0, 0, frameBytes);
    return frameBytes;
  }

  #lengths(stage: number, path: number, frame: number): void {
    const { view } = this.#into;
    view.setUint16(recordAt.stageBytes, stage, true);
    view.setUint16(recordAt.pathBytes, path, true);
    view.setUint32(recordAt.frameBytes, frame, true);
  }

  /** Grows to the worst case of one event, about 400 KiB, at most a few times in a life. */
  #reserve(bytes: number): void {
    if (bytes + recordHeaderBytes <= this.#into.bytes.length) return;
    this.#into = viewed(Buffer.alloc(Math.ceil(bytes / 4) * 8));
    this.#words = wordsOf(this.#into.bytes);
  }
}

function wordsOf(bytes: Buffer): BigInt64Array {
  return new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
}
