import type { JournalTag } from '../../core/event-id.ts';

/** Characters of the hyphenated text of a UUID; all ASCII, so bytes too. */
export const uuidBytes = 36;

const invalid = 0xff;
/** Value of each lower-case hexadecimal digit by its ASCII code. Upper case is refused: ids are compared as text. */
const digits = new Uint8Array(256).fill(invalid);
for (let value = 0; value < 16; value += 1) digits[value.toString(16).charCodeAt(0)] = value;

const hyphen = 0x2d;

/** True when the 36 bytes at `start` are a hyphenated UUID in lower case. The caller makes sure that they are inside `bytes`. */
export function isUuidBytes(bytes: Buffer, start: number): boolean {
  const hyphens =
    bytes[start + 8] === hyphen &&
    bytes[start + 13] === hyphen &&
    bytes[start + 18] === hyphen &&
    bytes[start + 23] === hyphen;
  const seen =
    seenDigits(bytes, start, 8) |
    seenDigits(bytes, start + 9, 4) |
    seenDigits(bytes, start + 14, 4) |
    seenDigits(bytes, start + 19, 4) |
    seenDigits(bytes, start + 24, 12);
  return hyphens && seen < 16; // what is no digit has 0xff
}

function seenDigits(bytes: Buffer, start: number, count: number): number {
  let seen = 0;
  for (let at = start; at < start + count; at += 1) seen |= digitAt(bytes, at);
  return seen;
}

/** The same, and a UUIDv7: version 7, variant 10 (RFC 9562). */
export function isIdBytes(bytes: Buffer, start: number): boolean {
  if (!isUuidBytes(bytes, start)) return false;
  return bytes[start + 14] === 0x37 && (digitAt(bytes, start + 19) & 0b1100) === 0b1000;
}

/** The parts below are those of core/event-id.ts, read without making a text. The caller has checked `isIdBytes`. */
export function idTimeMs(bytes: Buffer, start: number): number {
  return hexAt(bytes, start, 6) * 2 ** 24 + hexAt(bytes, start + 6, 2) * 2 ** 16 + hexAt(bytes, start + 9, 4);
}

export function idSequence(bytes: Buffer, start: number): number {
  const high = hexAt(bytes, start + 15, 3);
  const middle = hexAt(bytes, start + 19, 4) & 0x3fff;
  // The last group is 48 bits: 26 of the sequence, then 22 of the tag.
  const low = Math.floor((hexAt(bytes, start + 24, 6) * 2 ** 24 + hexAt(bytes, start + 30, 6)) / 2 ** 22);
  return high * 2 ** 40 + middle * 2 ** 26 + low;
}

export function idTag(bytes: Buffer, start: number): JournalTag {
  return (hexAt(bytes, start + 30, 6) & 0x3fffff) as JournalTag;
}

function digitAt(bytes: Buffer, at: number): number {
  return digits[bytes[at] as number] as number; // a byte is an index of the table
}

/** Up to seven digits, so that the shifts stay within 31 bits. */
function hexAt(bytes: Buffer, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) value = (value << 4) | digitAt(bytes, at);
  return value;
}
