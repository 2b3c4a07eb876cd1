import type { JournalTag } from '../../core/event-id.ts';

/** Characters of the hyphenated text of a UUID; all ASCII, so bytes too. */
export const uuidBytes = 36;

const invalid = -1;
/**
 * Value of two lower-case hexadecimal digits, by the two ASCII codes read as one little-endian number; `invalid`, all bits set, for anything else.
 * Upper case is refused: ids are compared as text. 128 KiB, of which the 256 valid places are ever touched.
 */
const pairs = new Int16Array(65_536).fill(invalid);
for (let value = 0; value < 256; value += 1) {
  const text = value.toString(16).padStart(2, '0');
  pairs[text.charCodeAt(0) | (text.charCodeAt(1) << 8)] = value;
}

const hyphen = 0x2d;

function pairAt(view: DataView, at: number): number {
  return pairs[view.getUint16(at, true)] as number; // two bytes are an index of the table
}

function hyphensAt(view: DataView, start: number): boolean {
  return (
    view.getUint8(start + 8) === hyphen &&
    view.getUint8(start + 13) === hyphen &&
    view.getUint8(start + 18) === hyphen &&
    view.getUint8(start + 23) === hyphen
  );
}

/** True when the 36 bytes at `start` are a hyphenated UUID in lower case. The caller makes sure that they are inside `view`. */
export function isUuidBytes(view: DataView, start: number): boolean {
  let seen = pairAt(view, start) | pairAt(view, start + 2) | pairAt(view, start + 4) | pairAt(view, start + 6);
  seen |= pairAt(view, start + 9) | pairAt(view, start + 11);
  seen |= pairAt(view, start + 14) | pairAt(view, start + 16);
  seen |= pairAt(view, start + 19) | pairAt(view, start + 21);
  seen |= pairAt(view, start + 24) | pairAt(view, start + 26) | pairAt(view, start + 28);
  seen |= pairAt(view, start + 30) | pairAt(view, start + 32) | pairAt(view, start + 34);
  return seen >= 0 && hyphensAt(view, start);
}

/**
 * The parts of a record's id (core/event-id.ts), read from its bytes in one pass, without making a text. Reused from record to record.
 *
 *   0        9    14   19   24           characters; two of them are one look-up
 *   tttttttt-tttt-7sss-Vsss-ssssssjjjjjj
 */
export class IdParts {
  timeMs = 0;
  sequence = 0;
  tag: JournalTag = 0 as JournalTag;

  /** False, and the parts mean nothing, when the 36 bytes at `start` are no UUIDv7 in lower case. The caller makes sure that they are inside `view`. */
  read(view: DataView, start: number): boolean {
    const time1 = (pairAt(view, start) << 16) | (pairAt(view, start + 2) << 8) | pairAt(view, start + 4);
    const time2 = (pairAt(view, start + 6) << 16) | (pairAt(view, start + 9) << 8) | pairAt(view, start + 11);
    const group3 = (pairAt(view, start + 14) << 8) | pairAt(view, start + 16);
    const group4 = (pairAt(view, start + 19) << 8) | pairAt(view, start + 21);
    const last1 = (pairAt(view, start + 24) << 16) | (pairAt(view, start + 26) << 8) | pairAt(view, start + 28);
    const last2 = (pairAt(view, start + 30) << 16) | (pairAt(view, start + 32) << 8) | pairAt(view, start + 34);
    // An invalid pair has all bits set, so its part is negative.
    if ((time1 | time2 | group3 | group4 | last1 | last2) < 0 || !hyphensAt(view, start)) return false;
    // Version 7, variant 10 (RFC 9562).
    if (group3 >>> 12 !== 7 || group4 >>> 14 !== 2) return false;
    this.timeMs = time1 * 2 ** 24 + time2;
    // The last group is 48 bits: 26 of the sequence, then 22 of the tag.
    this.sequence = (group3 & 0xfff) * 2 ** 40 + (group4 & 0x3fff) * 2 ** 26 + last1 * 4 + (last2 >>> 22);
    this.tag = (last2 & 0x3fffff) as JournalTag;
    return true;
  }
}
