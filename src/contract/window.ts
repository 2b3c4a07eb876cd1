import type { EventId } from '../core/event-id.ts';
import type { Sequence } from '../core/sequence.ts';

/**
 * A place in the window: just behind the record `sequence`.
 *
 * `offset` counts the bytes ever written to the ring (a Number; 2^53 bytes are 285 years at 1 GB/s), so it only rises and
 * `offset % capacity` is the place in memory.
 */
export interface WindowMark {
  readonly sequence: Sequence;
  readonly offset: number;
}

/** Whole records copied to private memory, or `overtaken`: the writer has reused the bytes meanwhile, nothing of the copy may be used. */
export type WindowCopy = { readonly kind: 'copied'; readonly bytes: number } | { readonly kind: 'overtaken' };

/**
 * What a reader of the window may do. Trusts: one writer, which raises low-water before it overwrites. Promises: bytes answered as
 * `copied` were whole and unchanged while they were copied (copy, then re-check of low-water). Never waits.
 */
export interface WindowReader {
  readonly capacityBytes: number;
  /** Offset of the oldest byte that is still whole. */
  lowOffset(): number;
  /**
   * Copies from a record boundary as many bytes of [from, to) as `into` holds, laid out in a line although the ring wraps. The last record may be cut
   * (a record knows its length): the caller continues at the boundary. The layout is wire/window-record.ts.
   */
  copy(from: number, to: number, into: Uint8Array): WindowCopy;
  /**
   * The offset of the first record with a sequence above `after`, searched in [low-water, `until.offset`]; `until.offset` when there is none;
   * null when the window has moved past it (a record above `after` may be gone).
   */
  find(after: Sequence, until: WindowMark): number | null;
}

/** The one writer, as the dispatcher sees it. */
export interface WindowStatus {
  head(): WindowMark;
  /** Reading after this sequence is complete; what lies before may be gone. */
  lowSequence(): Sequence;
  /** The id of a record that is in the window, or null. */
  idAt(sequence: Sequence): EventId | null;
  /** Bytes that readers can still reach, of `capacityBytes`. */
  readonly keptBytes: number;
  readonly capacityBytes: number;
}
