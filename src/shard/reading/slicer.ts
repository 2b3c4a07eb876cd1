import { sessionWriteBytesMax, windowRecordBytesMax } from '../../core/limits.ts';
import { type RecordView, recordKind } from '../../wire/frame/window-record.ts';
import type { Group } from '../group.ts';
import type { Cursor, Session } from '../stream/session.ts';
import type { WatchTable } from '../watch.ts';

/** Where a walk stands: `end` is moved behind each record that was walked. `base` is the place of the view's first byte in the window, or -1 for a block of history. */
export interface SlicePlace {
  readonly offset: number;
  readonly base: number;
  readonly end: Cursor;
}

/** `bytes` are valid until the next call. */
export interface WalkedSlice {
  readonly bytes: Buffer;
  readonly frames: number;
  readonly nextOffset: number;
}

/** Reads for one group by a linear walk: what the index does for live events, the filter does here for a stretch that only this group wants. */
export class Slicer {
  readonly #watch: WatchTable<Session>;
  readonly #out = Buffer.allocUnsafeSlow(sessionWriteBytesMax + windowRecordBytesMax);

  constructor(watch: WatchTable<Session>) {
    this.#watch = watch;
  }

  /**
   * Collects the frames that the group wants from `place.offset` on: at most `sessionWriteBytesMax` bytes, or one larger frame.
   *
   * Cost: O(records walked); a record of an execution that this shard does not watch costs one look-up.
   */
  next(group: Group, view: RecordView, place: SlicePlace): WalkedSlice {
    let { offset } = place;
    let written = 0;
    let frames = 0;
    while (view.moveTo(offset)) {
      if (view.kind === recordKind.event && this.#wants(group, view)) {
        const bytes = view.frameEnd - view.frameStart;
        if (written > 0 && written + bytes > sessionWriteBytesMax) break;
        view.buffer.copy(this.#out, written, view.frameStart, view.frameEnd);
        written += bytes;
        frames += 1;
      }
      offset += view.length;
      if (view.kind !== recordKind.skip) {
        place.end.sequence = view.sequence;
        place.end.timeMs = view.timeMs;
        place.end.tag = view.tag;
      }
      place.end.offset = place.base < 0 ? -1 : place.base + offset;
    }
    return { bytes: this.#out.subarray(0, written), frames, nextOffset: offset };
  }

  #wants(group: Group, view: RecordView): boolean {
    const executionId = view.executionId();
    const entry = this.#watch.execution(executionId);
    if (entry === undefined || !group.watches(executionId, view.sequence, entry.values)) return false;
    return group.matches(view.stage(), view.path());
  }
}
