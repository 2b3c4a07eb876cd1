import type { RecordPool } from './record-pool.ts';

/**
 * A hash table that grows and shrinks by one bucket at a time (linear hashing: Litwin 1980, in memory Larson 1988): nothing is ever
 * rehashed as a whole, so there is no pause however large it is.
 *
 *   segments: │ 0 │ 1 │ 2 │ 3 │ … heads of chains, 4,096 a segment; never copied
 *                   ▼
 *                 record ──▶ record ──▶ 0          chained through field 0 of the records of `pool`
 *
 *   with 4 + 2 buckets (base 4, split 2):    0  1  2  3 │ 4  5          bucket of a hash: its low 2 bits; when that is below `split`,
 *                                            ▲─────▲──────┘  │                            its low 3 bits
 *                                            bucket 2 is divided next, into 2 and 6
 *
 * It knows records by number and does not know their keys: whoever looks up walks `head(hash)` and compares.
 *
 * Invariants, checked by test/shard/index-parts.test.ts against a Map:
 *   L1  a record is in the chain of `head(hash)` of its hash, exactly from `link` to `unlink`.
 *   L2  there is a bucket for each record or two, and no more than `bucketsMin` when there are none.
 */
export class LinearHash {
  readonly #pool: RecordPool;
  readonly #hashOf: (record: number) => number;
  readonly #segments: Int32Array[] = [new Int32Array(segmentHeads)];
  #base = bucketsMin;
  #split = 0;
  #count = 0;

  /** `hashOf` is asked again when a bucket is divided or joined: the hash is not kept. */
  constructor(pool: RecordPool, hashOf: (record: number) => number) {
    this.#pool = pool;
    this.#hashOf = hashOf;
  }

  get count(): number {
    return this.#count;
  }

  get buckets(): number {
    return this.#base + this.#split;
  }

  /** The first record of the chain, or 0. The next stands in field 0. */
  head(hash: number): number {
    const bucket = this.#bucketOf(hash);
    return (this.#segments[bucket >> segmentBits] as Int32Array)[bucket & segmentMask] as number; // below `buckets`
  }

  link(hash: number, record: number): void {
    this.#push(this.#bucketOf(hash), record);
    this.#count += 1;
    if (this.#count * 2 > this.buckets * 3) this.#divide();
  }

  unlink(hash: number, record: number): void {
    const bucket = this.#bucketOf(hash);
    const next = this.#pool.get(record, 0);
    let before = this.#headAt(bucket);
    if (before === record) {
      this.#setHead(bucket, next);
    } else {
      for (let after = this.#pool.get(before, 0); after !== record; after = this.#pool.get(before, 0)) before = after;
      this.#pool.set(before, 0, next);
    }
    this.#count -= 1;
    if (this.#count < this.buckets && this.buckets > bucketsMin) this.#join();
  }

  #bucketOf(hash: number): number {
    const bucket = hash & (this.#base - 1);
    return bucket < this.#split ? hash & (this.#base * 2 - 1) : bucket;
  }

  /** Moves what belongs into the new bucket out of the one that stands next to be divided. */
  #divide(): void {
    const from = this.#split;
    const into = this.#base + from;
    if (into >> segmentBits === this.#segments.length) this.#segments.push(new Int32Array(segmentHeads));
    let record = this.#headAt(from);
    this.#setHead(from, 0);
    this.#split += 1;
    if (this.#split === this.#base) {
      this.#base *= 2;
      this.#split = 0;
    }
    while (record !== 0) {
      const next = this.#pool.get(record, 0);
      this.#push(this.#bucketOf(this.#hashOf(record)), record);
      record = next;
    }
  }

  /** The other way round: the last bucket's chain goes back to where it came from. */
  #join(): void {
    if (this.#split === 0) {
      this.#base /= 2;
      this.#split = this.#base;
    }
    this.#split -= 1;
    const from = this.#base + this.#split;
    let record = this.#headAt(from);
    this.#setHead(from, 0);
    while (record !== 0) {
      const next = this.#pool.get(record, 0);
      this.#push(this.#split, record);
      record = next;
    }
    if ((from & segmentMask) === 0 && from > 0) this.#segments.length = from >> segmentBits;
  }

  #push(bucket: number, record: number): void {
    this.#pool.set(record, 0, this.#headAt(bucket));
    this.#setHead(bucket, record);
  }

  #headAt(bucket: number): number {
    return (this.#segments[bucket >> segmentBits] as Int32Array)[bucket & segmentMask] as number; // below `buckets`
  }

  #setHead(bucket: number, record: number): void {
    (this.#segments[bucket >> segmentBits] as Int32Array)[bucket & segmentMask] = record; // below `buckets`
  }
}

const bucketsMin = 16;
const segmentBits = 12;
const segmentHeads = 4_096;
const segmentMask = 4_095;
