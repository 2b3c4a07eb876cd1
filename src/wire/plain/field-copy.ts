const firstPrintable = 0x20;
const lastPrintable = 0x7e;
/** Bytes of a varint below 2^49: far below where a Number is no longer exact. */
const numberBytesMax = 7;

/**
 * Two places in protobuf bytes: one that reads a message and one behind what was copied of it. A field is copied whole (tag, length, text) and
 * checked byte by byte on the way, or the answer is that it is not what was asked for; then both places mean nothing.
 *
 * Trusts: `into` has room for what is copied. Never reads at or behind `end`.
 */
export class FieldCopy {
  from: Buffer = Buffer.alloc(0);
  at = 0;
  /** Of the message being read. */
  end = 0;
  readonly into: Buffer;
  /** Of `into`. */
  readonly view: DataView;
  out = 0;

  constructor(bytesMax: number) {
    this.into = Buffer.allocUnsafeSlow(bytesMax);
    this.view = new DataView(this.into.buffer, 0, bytesMax);
  }

  begin(from: Buffer): void {
    this.from = from;
    this.at = 0;
    this.end = from.length;
    this.out = 0;
  }

  /** What was copied so far, as bytes of their own. */
  copied(): Buffer {
    const bytes = Buffer.allocUnsafe(this.out);
    this.into.copy(bytes, 0, 0, this.out);
    return bytes;
  }

  has(tag: number): boolean {
    return this.at < this.end && this.from[this.at] === tag;
  }

  /** Steps into the message of field 1, copying nothing; answers its end, or -1. Its length may be in any form. */
  enter(outerEnd: number): number {
    if (this.at >= outerEnd || this.from[this.at] !== 0x0a) return -1;
    let length = 0;
    for (let at = this.at + 1, shift = 0; at < outerEnd && shift <= 14; at += 1, shift += 7) {
      const byte = this.from[at] as number; // bounded by the loop
      length |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.at = at + 1;
      return this.at + length <= outerEnd ? this.at + length : -1;
    }
    return -1;
  }

  /**
   * Copies the tag and the length of a text or message and stands before its first byte. Answers the length, or -1 if the field is another one, if it is
   * longer than `bytesMax` or than the message, or if the length is not in its shortest form.
   */
  open(tag: number, bytesMax: number): number {
    const { from, into, at } = this;
    if (at + 2 > this.end || from[at] !== tag) return -1;
    const low = from[at + 1] as number; // bounded by the line above
    into[this.out] = tag;
    into[this.out + 1] = low;
    let lengthBytes = 1;
    let length = low;
    if (low >= 0x80) {
      const high = at + 2 < this.end ? (from[at + 2] as number) : 0; // bounded on this line
      // A third byte is beyond every bound; a zero is a longer form of a short length.
      if (high === 0 || high >= 0x80) return -1;
      into[this.out + 2] = high;
      lengthBytes = 2;
      length = (low & 0x7f) | (high << 7);
    }
    this.at = at + 1 + lengthBytes;
    this.out += 1 + lengthBytes;
    return length > bytesMax || this.at + length > this.end ? -1 : length;
  }

  /** Copies what `open` has bounded; false at a byte below `least` or above `most`. */
  copy(length: number, least: number, most: number): boolean {
    const { from, into, at, out } = this;
    for (let index = 0; index < length; index += 1) {
      const byte = from[at + index] as number; // bounded by `open`
      if (byte < least || byte > most) return false;
      into[out + index] = byte;
    }
    this.at = at + length;
    this.out = out + length;
    return true;
  }

  /** A text of printable ASCII: its length, at least 1, or -1. */
  printable(tag: number, bytesMax: number): number {
    const length = this.open(tag, bytesMax);
    return length > 0 && this.copy(length, firstPrintable, lastPrintable) ? length : -1;
  }

  /** A number below 2^49 in its shortest form, 0 if the field is another one, or -1. */
  number(tag: number): number {
    if (!this.has(tag)) return 0;
    const { from, into, at, out } = this;
    into[out] = tag;
    let value = 0;
    let unit = 1;
    for (let count = 1; count <= numberBytesMax && at + count < this.end; count += 1, unit *= 128) {
      const byte = from[at + count] as number; // bounded by the loop
      into[out + count] = byte;
      value += (byte & 0x7f) * unit;
      if (byte >= 0x80) continue;
      this.at = at + count + 1;
      this.out = out + count + 1;
      return byte !== 0 || count === 1 ? value : -1;
    }
    return -1;
  }

  put(bytes: Uint8Array): void {
    const { into, out } = this;
    for (let index = 0; index < bytes.length; index += 1) into[out + index] = bytes[index] as number; // bounded by the loop
    this.out = out + bytes.length;
  }
}
