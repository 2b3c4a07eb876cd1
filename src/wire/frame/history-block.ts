import type { Sequence } from '../../core/sequence.ts';
import type { RecordReader } from '../record/record-reader.ts';
import type { RecordEncoder } from './record-encoder.ts';

/** Records of history in a line, in the layout of window-record.ts: the first `length` bytes of `buffer`. */
export interface HistoryBlock {
  readonly buffer: ArrayBuffer;
  readonly length: number;
  readonly records: number;
  /** Of the last record; null when there is none. */
  readonly lastSequence: Sequence | null;
}

/**
 * Collects records into one block, in memory that it is given; the size of that is the bound.
 *
 * Invariant H1: a block holds whole records, in the order of the appends; the first record always fits, in larger memory of its own if need be.
 */
export class HistoryBlockBuilder {
  readonly #encoder: RecordEncoder;
  #block: Buffer<ArrayBuffer>;
  #length = 0;
  #records = 0;
  #lastSequence: Sequence | null = null;

  /** @param encoder used within `append` only: builders may share it */
  constructor(buffer: ArrayBuffer, encoder: RecordEncoder) {
    this.#block = Buffer.from(buffer);
    this.#encoder = encoder;
  }

  /** Adds the reader's current record; false, and nothing changed, when the block is full. Fails: WireError. */
  append(reader: RecordReader): boolean {
    const length = this.#encoder.encode(reader);
    const end = this.#length + length;
    if (end > this.#block.length) {
      if (this.#length > 0) return false;
      this.#block = Buffer.from(new ArrayBuffer(length));
    }
    this.#encoder.bytes.copy(this.#block, this.#length, 0, length);
    this.#length = end;
    this.#records += 1;
    this.#lastSequence = reader.sequence;
    return true;
  }

  block(): HistoryBlock {
    return {
      buffer: this.#block.buffer,
      length: this.#length,
      records: this.#records,
      lastSequence: this.#lastSequence,
    };
  }
}
