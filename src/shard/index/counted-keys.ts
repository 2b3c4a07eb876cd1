import { LinearHash } from './records/linear-hash.ts';
import { RecordPool } from './records/record-pool.ts';
import type { TextHash } from './records/text-hash.ts';

/**
 * A multiset of keys of three whole numbers, for asking whether one is there.
 *
 *   record  │ next │ one │ two │ three │ count │
 *
 * Invariant K1: `has` is true from the first `add` of a key to the `remove` that takes its last one out. Checked by test/shard/index-parts.test.ts.
 */
export class CountedKeys {
  readonly #text: TextHash;
  readonly #records = new RecordPool(5);
  readonly #table = new LinearHash(this.#records, (record) =>
    this.#hash(this.#records.get(record, 1), this.#records.get(record, 2), this.#records.get(record, 3)),
  );

  constructor(text: TextHash) {
    this.#text = text;
  }

  /** Keys that are different. */
  get size(): number {
    return this.#table.count;
  }

  has(one: number, two: number, three: number): boolean {
    return this.#seek(one, two, three) !== 0;
  }

  add(one: number, two: number, three: number): void {
    const records = this.#records;
    const there = this.#seek(one, two, three);
    if (there !== 0) {
      records.set(there, countField, records.get(there, countField) + 1);
      return;
    }
    const record = records.take();
    records.set(record, 1, one);
    records.set(record, 2, two);
    records.set(record, 3, three);
    records.set(record, countField, 1);
    this.#table.link(this.#hash(one, two, three), record);
  }

  /** One that was added. */
  remove(one: number, two: number, three: number): void {
    const records = this.#records;
    const record = this.#seek(one, two, three);
    const count = records.get(record, countField) - 1;
    records.set(record, countField, count);
    if (count > 0) return;
    this.#table.unlink(this.#hash(one, two, three), record);
    records.give(record);
  }

  #seek(one: number, two: number, three: number): number {
    const records = this.#records;
    let record = this.#table.head(this.#hash(one, two, three));
    while (
      record !== 0 &&
      (records.get(record, 1) !== one || records.get(record, 2) !== two || records.get(record, 3) !== three)
    ) {
      record = records.get(record, 0);
    }
    return record;
  }

  #hash(one: number, two: number, three: number): number {
    return this.#text.join(this.#text.join(one, two), three);
  }
}

const countField = 4;
