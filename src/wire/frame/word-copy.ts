/**
 * Copies of a few dozen bytes, four at a time, in compiled code: below about 2 KiB a call of `Buffer.copy` or `TypedArray.set` costs more than the bytes,
 * and a loop over single bytes three times as much as this. A DataView reads and writes words at any place.
 *
 *   text     t h e _ p a t h . m d          11 bytes
 *            ├─word──┤
 *                    ├─word──┤
 *                          ├─word──┤        the last word ends with the text and overlaps the one before: no loop over the rest
 *
 * Invariants, checked against byte loops in test/wire/word-copy.test.ts:
 *   C1  Nothing outside [start, start + length) is read, and nothing outside [at, at + length) is written, but for `putConstant`.
 *   C2  `copyPlainText` answers true only when JSON.stringify leaves every character as it is and all are ASCII.
 *   C3  `putConstant` writes whole words: up to 3 bytes behind the text that it answers the end of, which the caller writes over or has left free.
 */

/** Memory as its single bytes and as words. */
export interface ViewedBytes {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function viewed(bytes: Buffer): ViewedBytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** How far `putConstant` may write behind its text. */
export const constantSlackBytes = 3;

/** A text that is written often, as words. */
export interface Constant {
  readonly words: Int32Array;
  readonly length: number;
}

export function constantOf(text: string): Constant {
  const bytes = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  bytes.copy(padded);
  return {
    words: Int32Array.from({ length: padded.length / 4 }, (_, word) => padded.readInt32LE(word * 4)),
    length: bytes.length,
  };
}

/** Answers the end of the text. See C3. */
export function putConstant({ words, length }: Constant, into: DataView, at: number): number {
  for (let word = 0; word < words.length; word += 1) into.setInt32(at + word * 4, words[word] as number, true); // inside the array
  return at + length;
}

export function copyWords(from: DataView, start: number, length: number, into: DataView, at: number): void {
  if (length < 4) {
    for (let index = 0; index < length; index += 1) into.setUint8(at + index, from.getUint8(start + index));
    return;
  }
  const last = length - 4;
  for (let index = 0; index < last; index += 4) into.setInt32(at + index, from.getInt32(start + index, true), true);
  into.setInt32(at + last, from.getInt32(start + last, true), true);
}

const highBits = 0x80808080 | 0;

/**
 * Not 0 when one of the word's bytes is below 0x20, `"`, `\` or above 0x7f. The bit trick is that of "hasless" (Bit Twiddling Hacks): subtracting from each byte
 * what it must not be below borrows its high bit, and no byte borrows for another unless that one is special itself.
 */
function special(word: number): number {
  const quotes = word ^ 0x22222222;
  const backslashes = word ^ 0x5c5c5c5c;
  return (
    (word |
      ((word - 0x20202020) & ~word) |
      ((quotes - 0x01010101) & ~quotes) |
      ((backslashes - 0x01010101) & ~backslashes)) &
    highBits
  );
}

/**
 * Copies a text that stands in JSON as it is. False when it does not, or is not ASCII; then what was written means nothing.
 */
export function copyPlainText(from: DataView, start: number, end: number, into: DataView, at: number): boolean {
  const length = end - start;
  if (length < 4) {
    let word = 0x20202020;
    for (let index = 0; index < length; index += 1) {
      const byte = from.getUint8(start + index);
      word = (word << 8) | byte;
      into.setUint8(at + index, byte);
    }
    return special(word) === 0;
  }
  const last = length - 4;
  for (let index = 0; index < last; index += 4) {
    const word = from.getInt32(start + index, true);
    if (special(word) !== 0) return false;
    into.setInt32(at + index, word, true);
  }
  const word = from.getInt32(start + last, true);
  into.setInt32(at + last, word, true);
  return special(word) === 0;
}
