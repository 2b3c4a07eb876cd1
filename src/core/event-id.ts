import type { Brand } from './brand.ts';
import { type Sequence, sequenceMax } from './sequence.ts';

/**
 * The id of a journal record: a UUIDv7 (RFC 9562 section 5.7) that is the position.
 *
 *      48 bits        4      12 bits          2      62 bits
 *   | unix time ms | 0111 | sequence 51..40 | 10 | sequence 39..0 (40 bits) | journal tag (22 bits) |
 *
 * Sequence before tag, so ids rise strictly in journal order even across a change of tag, and the lexicographic order of the
 * lower-case text is delivery order.
 */
export type EventId = Brand<string, 'EventId'>;

/** 22 bits that name one life of one journal; a journal restored from a backup takes a new one. */
export type JournalTag = Brand<number, 'JournalTag'>;

export const journalTagMax = 2 ** 22 - 1;

/** RFC 9562 section 5.9. As a cursor it means "everything retained". */
export const nilId = '00000000-0000-0000-0000-000000000000';

export interface EventIdParts {
  readonly timeMs: number;
  readonly sequence: Sequence;
  readonly tag: JournalTag;
}

const twoTo40 = 2 ** 40;
const twoTo22 = 2 ** 22;

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Text of the id, lower case. Cost: a few hundred nanoseconds; the caller keeps the parts within their bits. */
export function formatEventId(timeMs: number, sequence: Sequence, tag: JournalTag): EventId {
  const sequenceHigh = Math.floor(sequence / twoTo40);
  const sequenceLow = sequence % twoTo40;
  // The 62 bits after the variant: 40 of sequence, 22 of tag. The first 14 of them stand in the fourth group.
  const group4 = 0x8000 | Math.floor(sequenceLow / 2 ** 26);
  const group5 = (sequenceLow % 2 ** 26) * twoTo22 + tag;
  const time = hex(timeMs, 12);
  return `${time.slice(0, 8)}-${time.slice(8)}-${hex(0x7000 | sequenceHigh, 4)}-${hex(group4, 4)}-${hex(group5, 12)}` as EventId;
}

/** The three hexadecimal digits of every number below 4,096. */
const digits3: readonly string[] = Array.from({ length: 4_096 }, (_, value) => hex(value, 3));

/** `formatEventId` for many sequences of one time and tag: what they share is written once. Cost: about a tenth. */
export function eventIdsOf(timeMs: number, tag: JournalTag): (sequence: Sequence) => EventId {
  // 62 bits: 36 that rarely change, 12 and 12 of the sequence, then its last two and the tag.
  const tails = [0, 1, 2, 3].map((low) => hex(low * twoTo22 + tag, 6));
  let sharedHigh = -1;
  let shared = '';
  return (sequence) => {
    const high = Math.floor(sequence / 2 ** 26);
    if (high !== sharedHigh) {
      sharedHigh = high;
      shared = formatEventId(timeMs, sequence, tag).slice(0, 24);
    }
    const low = sequence - high * 2 ** 26;
    return `${shared}${digits3[low >>> 14] ?? ''}${digits3[(low >>> 2) & 0xfff] ?? ''}${tails[low & 3] ?? ''}` as EventId;
  };
}

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A hyphenated UUID of any version, any case; answers the lower-case text, or null. */
export function parseUuid(text: string): string | null {
  if (text.length !== 36) return null;
  const lower = text.toLowerCase();
  return uuid.test(lower) ? lower : null;
}

/** Any UUIDv7, ours or another generator's, any case. `null` means malformed. */
export function parseEventId(text: string): EventId | null {
  if (text.length !== 36) return null;
  const lower = text.toLowerCase();
  return uuidV7.test(lower) ? (lower as EventId) : null;
}

/** Reads the parts of any UUIDv7; for a foreign id the sequence and tag are just its random bits. */
export function eventIdParts(id: EventId): EventIdParts {
  const timeMs = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  const sequenceHigh = Number.parseInt(id.slice(15, 18), 16);
  const group4 = Number.parseInt(id.slice(19, 23), 16) & 0x3fff;
  const group5 = Number.parseInt(id.slice(24), 16);
  const sequence = sequenceHigh * twoTo40 + group4 * 2 ** 26 + Math.floor(group5 / twoTo22);
  return { timeMs, sequence: Math.min(sequence, sequenceMax) as Sequence, tag: (group5 % twoTo22) as JournalTag };
}
