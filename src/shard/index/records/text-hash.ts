import { randomFillSync } from 'node:crypto';

/**
 * Runs of bytes as words of 32 bits, hashed and compared four bytes at a time.
 *
 *   b o o s t  ──▶  words │ 'boos' │ 't···' │
 *
 * The hash is a sum of products, each place with secret random multipliers (vector multiply-shift, Dietzfelbinger 1996), drawn anew for each
 * index: who picks the names cannot foresee which of them meet, so a flood of colliding ones cannot be made up in advance.
 * Checked by test/shard/index-parts.test.ts.
 */
export class TextHash {
  /** Of the last text packed. */
  readonly words = new Int32Array(wordsMax);
  /** Its bytes. */
  length = 0;
  hash = 0;
  readonly #factors: Int32Array;

  /** `factors`: for tests; all zero makes everything collide. */
  constructor(factors: Int32Array = randomFactors()) {
    this.#factors = factors;
  }

  /** Packs and hashes the bytes from `start` to `end`, at most `textBytesMax`. */
  pack(bytes: Uint8Array, start: number, end: number): void {
    const { words } = this;
    let count = 0;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      words[count] =
        (bytes[at] as number) | // inside the text, as all below
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24);
      count += 1;
    }
    if (at < end) {
      let word = 0;
      for (let shift = 0; at < end; at += 1, shift += 8) word |= (bytes[at] as number) << shift;
      words[count] = word;
    }
    this.rehash(end - start);
  }

  /** Hashes the words as they stand, of a text of so many bytes. */
  rehash(length: number): void {
    const { words } = this;
    const factors = this.#factors;
    const count = wordsOf(length);
    let low = length;
    let high = 0;
    for (let index = 0; index < count; index += 1) {
      const word = words[index] as number; // below `count`
      low = (low + Math.imul(word, factors[2 * index] as number)) | 0;
      high = (high + Math.imul((word >>> 16) | (word << 16), factors[2 * index + 1] as number)) | 0;
    }
    this.length = length;
    this.hash = this.join(low, high);
  }

  /** One hash of two numbers. */
  join(one: number, other: number): number {
    const factors = this.#factors;
    let hash =
      Math.imul(one, factors[2 * wordsMax] as number) ^
      Math.imul((other << 13) | (other >>> 19), factors[2 * wordsMax + 1] as number);
    hash = Math.imul(hash ^ (hash >>> 15), factors[2 * wordsMax + 2] as number);
    return hash ^ (hash >>> 13);
  }
}

/** A segment is no longer than the longest path (`pathBytesMax`), and no stage is longer than that. */
export const textBytesMax = 1_024;
const wordsMax: number = textBytesMax / 4;

/** Words of a text of so many bytes. */
export function wordsOf(length: number): number {
  return (length + 3) >> 2;
}

function randomFactors(): Int32Array {
  const factors = randomFillSync(new Int32Array(textFactors));
  for (let index = 0; index < factors.length; index += 1) factors[index] = (factors[index] as number) | 1;
  return factors;
}

export const textFactors: number = 2 * wordsMax + 3;
