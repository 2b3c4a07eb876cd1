import { WireError } from './wire-error.ts';

const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;
/** Bytes of the longest varint, ten times seven bits. */
const varintBytesMax = 10;

/**
 * A place in protobuf bytes (protobuf.dev, "Encoding"), moved forward field by field without making an object.
 *
 * Why not protobufjs's Reader: it answers 64-bit numbers as Long objects, knows no end but that of the buffer, and fails with a bare
 * RangeError. Every step here is bounded by `end`, the end of the innermost message; a byte behind it is never read.
 * Fails: WireError `malformed`; afterwards the cursor's place means nothing.
 */
export class ProtoCursor {
  bytes: Buffer = Buffer.alloc(0);
  position = 0;
  /** End of the message being read. */
  end = 0;
  /** Of the last `field`. */
  fieldNumber = 0;
  wireType = 0;

  attach(bytes: Buffer): void {
    this.bytes = bytes;
    this.position = 0;
    this.end = bytes.length;
  }

  /** Reads the next field's number and wire type; false at the end of the message. */
  field(): boolean {
    if (this.position >= this.end) return false;
    const key = this.varint();
    if (key < 8 || key > 0xffff_ffff) throw new WireError('malformed', `field key ${key}`);
    this.fieldNumber = key >>> 3;
    this.wireType = key & 7;
    return true;
  }

  /** An unsigned number up to 2^53-1. */
  varint(): number {
    const start = this.position;
    if (start < this.end) {
      // Nearly all are one byte: keys, and lengths below 128.
      const first = this.bytes[start] as number; // bounded by `end` on the line above
      if (first < 0x80) {
        this.position = start + 1;
        return first;
      }
    }
    return this.#longVarint();
  }

  #longVarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < varintBytesMax; count += 1) {
      if (this.position >= this.end) throw new WireError('malformed', 'a varint runs past its message');
      const byte = this.bytes[this.position] as number; // bounded by `end` on the line above
      this.position += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError('malformed', 'a number above 2^53-1');
        return value;
      }
      scale *= 128;
    }
    throw new WireError('malformed', 'a varint of more than ten bytes');
  }

  /** The value of a varint field. */
  number(): number {
    this.#expect(wireVarint);
    return this.varint();
  }

  /** The start of a length-delimited field; the cursor stands behind it afterwards, so `position` is its end. */
  span(): number {
    this.#expect(wireBytes);
    const length = this.varint();
    const start = this.position;
    if (length > this.end - start) throw new WireError('malformed', `a field of ${length} bytes runs past its message`);
    this.position = start + length;
    return start;
  }

  /** Enters a nested message; answers the end of the outer one, which the caller hands to `leave`. */
  enter(): number {
    const start = this.span();
    const outerEnd = this.end;
    this.end = this.position;
    this.position = start;
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.position = this.end;
    this.end = outerEnd;
  }

  /** Steps over a field that nobody asked for. Groups (wire types 3 and 4) are not proto3. */
  skipField(): void {
    switch (this.wireType) {
      case wireVarint:
        this.#skipVarint();
        return;
      case wireFixed64:
        this.#advance(8);
        return;
      case wireBytes:
        this.span();
        return;
      case wireFixed32:
        this.#advance(4);
        return;
      default:
        throw new WireError('malformed', `wire type ${this.wireType}`);
    }
  }

  /** Unknown numbers may use all 64 bits. */
  #skipVarint(): void {
    for (let count = 0; count < varintBytesMax && this.position < this.end; count += 1) {
      const byte = this.bytes[this.position] as number; // bounded by the loop
      this.position += 1;
      if (byte < 0x80) return;
    }
    throw new WireError('malformed', 'a varint without an end');
  }

  #advance(count: number): void {
    if (count > this.end - this.position) throw new WireError('malformed', 'a field runs past its message');
    this.position += count;
  }

  #expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw new WireError('malformed', `field ${this.fieldNumber} has wire type ${this.wireType}, not ${wireType}`);
    }
  }
}
