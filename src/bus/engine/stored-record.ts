import { crc32 } from 'node:zlib';
import type { RecordHead, StoredRecord } from './journal-store.ts';

/**
 * A record as LMDB holds it: a head, then the encoded Record.
 *
 *   | offset f64 | time ms f64 | crc32 u32 | kind u8 | execution id 16 bytes | Record … |
 *
 * The checksum covers everything but itself: LMDB does not notice a page of garbage.
 */
export const recordHeadBytes = 37;
const crcAt = 16;
const kindAt = 20;
const executionAt = 21;

export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

export function uuidText(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function packRecord(record: StoredRecord, execution: Buffer): Buffer {
  const packed = Buffer.allocUnsafe(recordHeadBytes + record.bytes.length);
  packed.writeDoubleBE(record.offset, 0);
  packed.writeDoubleBE(record.timeMs, 8);
  packed.writeUInt8(record.isChange ? 1 : 0, kindAt);
  execution.copy(packed, executionAt);
  packed.set(record.bytes, recordHeadBytes);
  packed.writeUInt32BE(checksum(packed), crcAt);
  return packed;
}

function checksum(packed: Buffer): number {
  return crc32(packed.subarray(kindAt), crc32(packed.subarray(0, crcAt)));
}

/** Why these bytes are not what was stored, or null. */
export function packedFault(packed: Buffer): string | null {
  if (packed.length <= recordHeadBytes) return `is ${packed.length} bytes long`;
  return packed.readUInt32BE(crcAt) === checksum(packed) ? null : 'does not match its checksum';
}

export function unpackHead(sequence: number, packed: Buffer, byteLength: number): RecordHead {
  return {
    sequence,
    offset: packed.readDoubleBE(0),
    timeMs: packed.readDoubleBE(8),
    byteLength: byteLength - recordHeadBytes,
  };
}

export function unpackRecord(sequence: number, packed: Buffer): StoredRecord {
  return {
    sequence,
    offset: packed.readDoubleBE(0),
    timeMs: packed.readDoubleBE(8),
    isChange: packed.readUInt8(kindAt) === 1,
    executionId: uuidText(packed, executionAt),
    bytes: packed.subarray(recordHeadBytes),
  };
}

const indexKeyBytes = 24;

/** Key of the index: execution, then twice the sequence, odd for a change, as 8 bytes big-endian. */
export function indexKey(execution: Buffer, sequence: number, isChange: boolean): Buffer {
  const key = Buffer.allocUnsafe(indexKeyBytes);
  execution.copy(key, 0);
  const value = sequence * 2 + (isChange ? 1 : 0);
  key.writeUInt32BE(Math.floor(value / 2 ** 32), 16);
  key.writeUInt32BE(value >>> 0, 20);
  return key;
}

export function indexValue(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(16) * 2 ** 32 + view.getUint32(20);
}
