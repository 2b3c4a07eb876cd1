import type { PlainEvent, PlainEvents } from '../../contract/journal.ts';
import type { EventId } from '../../core/event-id.ts';
import { uuidBytes } from '../record/uuid-bytes.ts';
import { varintBytes, writeVarint } from './varint.ts';

/** Tags of StorageEvent in the proto: (number << 3) | wire type. */
export const eventTag = {
  executionId: 0x0a,
  stage: 0x12,
  path: 0x1a,
  extension: 0x22,
  size: 0x28,
  contentType: 0x32,
  checksum: 0x3a,
  uri: 0x42,
  time: 0x4a,
  metadata: 0x52,
} as const;

const recordTag = { sequence: 0x08, id: 0x12, event: 0x1a } as const;
/** Bytes of a varint of 2^52, and of the length of a body, which is below 2 MiB. */
const sequenceBytesMax = 8;
const bodyLengthBytesMax = 3;
const idFieldBytes = 2 + uuidBytes;

/** Room in front of a body for what a Record has before it. */
export const recordRoomBytes = 1 + sequenceBytesMax + idFieldBytes + 1 + bodyLengthBytesMax;

/** One event and where its body stands in the bytes of the batch. */
export interface PlacedEvent extends PlainEvent {
  readonly bodyAt: number;
  readonly bodyEnd: number;
  /** Of the 24 bytes of its time. */
  readonly timeAt: number;
}

/**
 * The events of a plain request (plain-scan.ts), each with room in front of its body:
 *
 *   | room | body 0 | room | body 1 | …        before the append
 *     | 1 sequence | 2 id | 3 length | body 0  a Record afterwards, written backwards from the body
 */
export class PlainBatch implements PlainEvents {
  readonly kind = 'plain-events';
  readonly #bytes: Buffer;
  readonly #events: readonly PlacedEvent[];

  constructor(bytes: Buffer, events: readonly PlacedEvent[]) {
    this.#bytes = bytes;
    this.#events = events;
  }

  get length(): number {
    return this.#events.length;
  }

  at(index: number): PlacedEvent {
    return this.#events[index] as PlacedEvent; // the caller counts to `length`
  }

  /** Completes the Record; its bytes are part of the batch's. */
  record(index: number, sequence: number, id: EventId, time: string): Uint8Array {
    const event = this.at(index);
    const bytes = this.#bytes;
    const length = event.bodyEnd - event.bodyAt;
    let at = event.bodyAt - 1 - varintBytes(length);
    bytes[at] = recordTag.event;
    writeVarint(bytes, at + 1, length);
    at -= idFieldBytes;
    bytes[at] = recordTag.id;
    bytes[at + 1] = uuidBytes;
    bytes.write(id, at + 2, 'latin1');
    at -= 1 + varintBytes(sequence);
    bytes[at] = recordTag.sequence;
    writeVarint(bytes, at + 1, sequence);
    if (event.time === '') bytes.write(time, event.timeAt, 'latin1');
    return bytes.subarray(at, event.bodyEnd);
  }
}
