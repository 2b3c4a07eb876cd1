import type { Sequence } from '../../core/sequence.ts';
import type { RecordReader } from '../record/record-reader.ts';
import { RecordEncoder } from './record-encoder.ts';

/** Records of history in a line, in the layout of window-record.ts. `buffer` is theirs alone and can be transferred to a shard. */
export interface HistoryBlock {
  readonly buffer: ArrayBuffer;
  readonly records: number;
  /** Of the last record; null when there is none. */
  readonly lastSequence: Sequence | null;
}

/**
 * Collects records into blocks of at most `bytesMax`.
 *
 *   while (reader.next()) if (!builder.append(reader)) { send(builder.take()); builder.append(reader); }
 *
 * Invariant H1: a block holds whole records, in the order of the appends; the first record always fits, whatever `bytesMax`.
 */
export class HistoryBlockBuilder {
  readonly #bytesMax: number;
  readonly #encoder = new RecordEncoder();
  #block: Buffer;
  #bytes = 0;
  #records = 0;
  #lastSequence: Sequence | null = null;

  /** @param bytesMax of one block; `historyBlockBytes` for those that cross to a shard */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#block = Buffer.allocUnsafeSlow(Math.min(bytesMax, firstBlockBytes));
  }

  /** Bytes in the block so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the reader's current record; false, and nothing changed, when the block is full. Fails: WireError. */
  append(reader: RecordReader): boolean {
    const length = this.#encoder.encode(reader);
    const end = this.#bytes + length;
    if (this.#bytes > 0 && end > this.#bytesMax) return false;
    if (end > this.#block.length) this.#grow(end);
    this.#encoder.bytes.copy(this.#block, this.#bytes, 0, length);
    this.#bytes = end;
    this.#records += 1;
    this.#lastSequence = reader.sequence;
    return true;
  }

  /** Answers the block and starts an empty one. Cost: one copy to its exact size. */
  take(): HistoryBlock {
    const buffer = new ArrayBuffer(this.#bytes);
    this.#block.copy(new Uint8Array(buffer), 0, 0, this.#bytes);
    const block = { buffer, records: this.#records, lastSequence: this.#lastSequence };
    this.#bytes = 0;
    this.#records = 0;
    this.#lastSequence = null;
    return block;
  }

  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(bytes, this.#block.length * 2));
    this.#block.copy(grown, 0, 0, this.#bytes);
    this.#block = grown;
  }
}

/** A block grows from here: most ranges are short. */
const firstBlockBytes = 16_384;
