import type { JournalTag } from '../core/event-id.ts';

/** Characters of the hyphenated text of a UUID; all ASCII, so bytes too. */
export const uuidBytes = 36;

const invalid = 0xff;
/** Value of each lower-case hexadecimal digit by its ASCII code. Upper case is refused: ids are compared as text. */
const digits = new Uint8Array(256).fill(invalid);
for (let value = 0; value < 16; value += 1) digits[value.toString(16).charCodeAt(0)] = value;

const hyphen = 0x2d;
const hyphenPlaces = new Uint8Array(uuidBytes);
for (const place of [8, 13, 18, 23]) hyphenPlaces[place] = 1;

/** True when the 36 bytes at `start` are a hyphenated UUID in lower case. The caller makes sure that they are inside `bytes`. */
export function isUuidBytes(bytes: Buffer, start: number): boolean {
  for (let place = 0; place < uuidBytes; place += 1) {
    const byte = bytes[start + place] as number; // the caller bounds `start`
    if (hyphenPlaces[place] === 1 ? byte !== hyphen : digits[byte] === invalid) return false;
  }
  return true;
}

/** The same, and a UUIDv7: version 7, variant 10 (RFC 9562). */
export function isIdBytes(bytes: Buffer, start: number): boolean {
  if (!isUuidBytes(bytes, start)) return false;
  return bytes[start + 14] === 0x37 && (digitAt(bytes, start + 19) & 0b1100) === 0b1000;
}

/** The parts below are those of core/event-id.ts, read without making a text. The caller has checked `isIdBytes`. */
export function idTimeMs(bytes: Buffer, start: number): number {
  return hexAt(bytes, start, 8) * 2 ** 16 + hexAt(bytes, start + 9, 4);
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

/** Up to eight digits as an unsigned number. */
function hexAt(bytes: Buffer, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) value = value * 16 + digitAt(bytes, at);
  return value;
}
