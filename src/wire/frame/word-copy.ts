/**
 * Copies of a few dozen bytes, four or eight at a time, in compiled code: below about 2 KiB a call of `Buffer.copy` or `TypedArray.set` costs more than
 * the bytes, and a loop over single bytes four to eight times as much as this. A DataView reads and writes words at any place.
 *
 *   text     s e c t i o n / s u m m a r y       15 bytes
 *            ├──── 8 bytes ──┤
 *                          ├──── 8 bytes ──┤     the last word ends with the text and overlaps the one before: no loop over the rest
 *
 * Eight bytes travel as a double (a 64-bit whole number would be an object each). That keeps every bit unless the double is a NaN, which needs a byte above 0x7f:
 * so ASCII only, and any other bytes four at a time.
 *
 * Invariants, checked against byte loops in test/wire/word-copy.test.ts:
 *   C1  Nothing outside [start, start + length) is read, and nothing outside [at, at + length) is written, but for `putConstant`.
 *   C2  `copyPlainText` answers true only when JSON.stringify leaves every character as it is and all are ASCII.
 *   C3  `putConstant` writes whole words: up to 7 bytes behind the text that it answers the end of, which the caller writes over or has left free.
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
export const constantSlackBytes = 7;

/** An ASCII text that is written often, as doubles. */
export interface Constant {
  readonly words: Float64Array;
  readonly length: number;
}

export function constantOf(text: string): Constant {
  const bytes = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil(bytes.length / 8) * 8);
  bytes.copy(padded);
  const words = Float64Array.from({ length: padded.length / 8 }, (_, word) => padded.readDoubleLE(word * 8));
  return { words, length: bytes.length };
}

/** Answers the end of the text. See C3. */
export function putConstant({ words, length }: Constant, into: DataView, at: number): number {
  for (let word = 0; word < words.length; word += 1) into.setFloat64(at + word * 8, words[word] as number, true); // inside the array
  return at + length;
}

/** Any bytes. */
export function copyBytes(from: DataView, start: number, length: number, into: DataView, at: number): void {
  if (length < 4) {
    for (let index = 0; index < length; index += 1) into.setUint8(at + index, from.getUint8(start + index));
    return;
  }
  const last = length - 4;
  for (let index = 0; index < last; index += 4) into.setInt32(at + index, from.getInt32(start + index, true), true);
  into.setInt32(at + last, from.getInt32(start + last, true), true);
}

/** ASCII, at least 8 bytes of it. */
export function copyAscii(from: DataView, start: number, length: number, into: DataView, at: number): void {
  const last = length - 8;
  for (let index = 0; index < last; index += 8) into.setFloat64(at + index, from.getFloat64(start + index, true), true);
  into.setFloat64(at + last, from.getFloat64(start + last, true), true);
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

/** Of the eight bytes at a place. */
function specialAt(from: DataView, start: number): number {
  return special(from.getInt32(start, true)) | special(from.getInt32(start + 4, true));
}

/**
 * Copies a text that stands in JSON as it is. False when it does not, or is not ASCII; then what was written means nothing.
 */
export function copyPlainText(from: DataView, start: number, end: number, into: DataView, at: number): boolean {
  const length = end - start;
  if (length < 8) return copyShortText(from, start, length, into, at);
  const last = length - 8;
  for (let index = 0; index < last; index += 8) {
    if (specialAt(from, start + index) !== 0) return false;
    into.setFloat64(at + index, from.getFloat64(start + index, true), true);
  }
  if (specialAt(from, start + last) !== 0) return false;
  into.setFloat64(at + last, from.getFloat64(start + last, true), true);
  return true;
}

/** Below eight bytes. */
function copyShortText(from: DataView, start: number, length: number, into: DataView, at: number): boolean {
  if (length >= 4) {
    const [first, last] = [from.getInt32(start, true), from.getInt32(start + length - 4, true)];
    into.setInt32(at, first, true);
    into.setInt32(at + length - 4, last, true);
    return (special(first) | special(last)) === 0;
  }
  let word = 0x20202020;
  for (let index = 0; index < length; index += 1) {
    const byte = from.getUint8(start + index);
    word = (word << 8) | byte;
    into.setUint8(at + index, byte);
  }
  return special(word) === 0;
}
