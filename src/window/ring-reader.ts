import type { WindowCopy, WindowMark, WindowReader } from '../contract/window.ts';
import type { Sequence } from '../core/sequence.ts';
import { recordAt, recordKind, skipHeaderBytes } from '../wire/frame/window-record.ts';
import { controlAt, type WindowMemory } from './window-memory.ts';

/** What a search of the index came to: a place, moved past, or disturbed by the writer. */
const movedPast = -1;
const disturbed = -2;

/** A search that the writer disturbs this often is given up as "moved past": each time it has dropped another 16 KiB. */
const findAttemptsMax = 4;

const overtaken: WindowCopy = { kind: 'overtaken' };

/** Called between the copy and its re-check. For tests, which force the writer in between. */
export interface RingReaderHooks {
  readonly afterCopy?: () => void;
  /** In `find`, after the walk and before its re-check. */
  readonly afterWalk?: () => void;
}

/**
 * Reads the window from any thread; as many as there are shards. Invariants: window-memory.ts.
 *
 * Bytes of the ring are only believed after low was checked again behind the reading (W1, W2); until then a copy may be torn, and every
 * length met on a walk is bounded before it is used.
 */
export class RingReader implements WindowReader {
  readonly #ring: Uint8Array;
  readonly #view: DataView;
  readonly #control: BigInt64Array;
  readonly #checkpoints: Float64Array;
  readonly #slots: number;
  readonly #hooks: RingReaderHooks;

  constructor(memory: WindowMemory, hooks: RingReaderHooks = {}) {
    this.#ring = new Uint8Array(memory.ring);
    this.#view = new DataView(memory.ring);
    this.#control = new BigInt64Array(memory.control);
    this.#checkpoints = new Float64Array(memory.checkpoints);
    this.#slots = this.#checkpoints.length / 2;
    this.#hooks = hooks;
  }

  get capacityBytes(): number {
    return this.#ring.length;
  }

  lowOffset(): number {
    return Number(Atomics.load(this.#control, controlAt.low));
  }

  /** Offset behind the newest byte. A mark from the writer is the way to know its sequence. */
  headOffset(): number {
    return Number(Atomics.load(this.#control, controlAt.head));
  }

  copy(from: number, to: number, into: Uint8Array): WindowCopy {
    if (from < this.lowOffset()) return overtaken;
    const bytes = Math.max(0, Math.min(to - from, into.length, this.#ring.length));
    const place = from % this.#ring.length;
    const straight = Math.min(bytes, this.#ring.length - place);
    into.set(this.#ring.subarray(place, place + straight), 0);
    if (bytes > straight) into.set(this.#ring.subarray(0, bytes - straight), straight);
    this.#hooks.afterCopy?.();
    return from < this.#recheck(controlAt.low) ? overtaken : { kind: 'copied', bytes };
  }

  find(after: Sequence, until: WindowMark): number | null {
    for (let attempt = 0; attempt < findAttemptsMax; attempt += 1) {
      if (until.offset < this.lowOffset()) return null;
      if (after >= until.sequence) return until.offset;
      const found = this.#search(after, until.offset);
      if (found === movedPast) return null;
      if (found !== disturbed) return found;
    }
    return null;
  }

  /** The last checkpoint that is not above `after`, then record by record. */
  #search(after: Sequence, until: number): number {
    const first = Number(Atomics.load(this.#control, controlAt.firstCheckpoint));
    const next = Number(Atomics.load(this.#control, controlAt.nextCheckpoint));
    if (first >= next) return disturbed;
    if (this.#sequenceBefore(first) > after) {
      return this.#recheck(controlAt.firstCheckpoint) === first ? movedPast : disturbed;
    }
    // Between `least`, which is not above, and `above`, which is or is past the end. A torn probe can only misplace it; the re-check tells.
    let least = first;
    let above = next;
    while (above - least > 1) {
      const middle = Math.floor((least + above) / 2);
      if (this.#sequenceBefore(middle) <= after && this.#offsetOf(middle) <= until) least = middle;
      else above = middle;
    }
    const found = this.#walk(this.#offsetOf(least), after, until);
    this.#hooks.afterWalk?.();
    return this.#recheck(controlAt.firstCheckpoint) <= least ? found : disturbed;
  }

  /** At most one lap: a start that lies further back, or is no offset at all, can only be a torn one. */
  #walk(start: number, after: Sequence, until: number): number {
    if (!(start >= 0 && until - start <= this.#ring.length)) return disturbed;
    let offset = start;
    while (offset < until) {
      const place = offset % this.#ring.length;
      if (!(place + skipHeaderBytes <= this.#ring.length)) return disturbed;
      const length = this.#view.getUint32(place + recordAt.length, true);
      if (length < skipHeaderBytes || place + length > this.#ring.length) return disturbed;
      const kind = this.#view.getUint8(place + recordAt.kind);
      if (kind !== recordKind.skip) {
        if (place + recordAt.sequence + 8 > this.#ring.length) return disturbed;
        if (this.#view.getFloat64(place + recordAt.sequence, true) > after) return offset;
      }
      offset += length;
    }
    return until;
  }

  #offsetOf(checkpoint: number): number {
    return this.#checkpoints[(checkpoint % this.#slots) * 2] as number; // the slot is below `#slots`
  }

  #sequenceBefore(checkpoint: number): number {
    return this.#checkpoints[(checkpoint % this.#slots) * 2 + 1] as number; // the slot is below `#slots`
  }

  /** Reads a control word so that everything read before stays before it: see window-memory.ts. */
  #recheck(word: number): number {
    return Number(Atomics.add(this.#control, word, 0n));
  }
}
