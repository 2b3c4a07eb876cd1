import protobuf from 'protobufjs/minimal.js';

/** Bytes that the position behind the records of a batch takes at most: two tags, a varint of 8 bytes, a length and an id. */
const throughBytesMax = 64;

/**
 * Builds a RecordBatch from encoded records, without decoding one: `records` is field 1, so each is its tag, its length and its bytes.
 * Reused from batch to batch; `finish` answers a copy of its own.
 */
export class BatchAssembly {
  #scratch = Buffer.allocUnsafe(65_536);
  #length = 0;

  get byteLength(): number {
    return this.#length;
  }

  add(record: Uint8Array): void {
    this.#reserve(record.length + 6);
    this.#scratch[this.#length] = 0x0a;
    this.#length = writeVarint(this.#scratch, this.#length + 1, record.length);
    this.#scratch.set(record, this.#length);
    this.#length += record.length;
  }

  /** What was added is not wanted. */
  clear(): void {
    this.#length = 0;
  }

  /** The batch, and an empty assembly. `throughId` '' leaves it out. */
  finish(throughSequence: number, throughId: string): Buffer {
    const tail = protobuf.Writer.create();
    if (throughSequence !== 0) tail.uint32(0x10).uint64(throughSequence);
    if (throughId !== '') tail.uint32(0x1a).string(throughId);
    this.#reserve(throughBytesMax);
    const tailBytes = tail.finish();
    this.#scratch.set(tailBytes, this.#length);
    // Not pooled: a batch may wait in a socket for long, and must not hold a slab of others.
    const batch = Buffer.allocUnsafeSlow(this.#length + tailBytes.length);
    this.#scratch.copy(batch, 0, 0, batch.length);
    this.#length = 0;
    return batch;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#scratch.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#scratch.length * 2, this.#length + bytes));
    this.#scratch.copy(larger, 0, 0, this.#length);
    this.#scratch = larger;
  }
}

function writeVarint(into: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest > 127) {
    into[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    at += 1;
  }
  into[at] = rest;
  return at + 1;
}
