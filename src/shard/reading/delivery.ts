import type { ShardObserver } from '../../contract/shard-observer.ts';
import type { Clock } from '../../core/clock.ts';
import { drainLightBytesMax, scratchBytes, sessionWriteBytesMax, windowRecordBytesMax } from '../../core/limits.ts';
import type { RecordView } from '../../wire/frame/window-record.ts';
import type { Group, GroupTable } from '../group.ts';
import { type Cursor, copyCursor, type Session } from '../stream/session.ts';
import { note } from '../stream/slow-client.ts';

/** Numbers kept for a frame in `Group.frames`: start and end in the scratch, offset of its record in the scratch. */
export const frameFields = 3;

/** One write: at most `sessionWriteBytesMax` bytes of whole frames, or one larger frame. */
interface Slice {
  bytes: Buffer;
  frames: number;
  /** Everything matching up to here is in this slice or before it. */
  readonly end: Cursor;
}

/**
 * A write that was buffered was taken, so the cursor stands behind it; the session leaves the index and keeps nothing but that cursor. Whoever calls has
 * written and noted it (stream/slow-client.ts), and hands over where the write ended.
 */
export function park(session: Session, at: Cursor, groups: GroupTable): void {
  groups.leave(session);
  session.cursor ??= { ...at };
  copyCursor(at, session.cursor);
  session.advance('blocked');
}

export interface DeliveryDependencies {
  readonly groups: GroupTable;
  readonly observer: ShardObserver;
  readonly clock: Clock;
  /** What is done for one session threw; it has to leave its group, if it has not. */
  readonly failed: (session: Session, fault: unknown) => void;
  /** What is done once for a group threw: nobody knows which of its members have had what, so all of them have to leave. */
  readonly groupFailed: (members: readonly Session[], fault: unknown) => void;
  /** Bytes that one drain hands over; `drainBytesMax` but for tests. */
  readonly bytesMax: number;
  /** The session has left its group and reads on from its cursor. */
  readonly behind: (session: Session) => void;
}

/** A stretch of the window in a scratch. */
export interface Stretch {
  /** Stands on the scratch that the groups' frames point into. */
  readonly view: RecordView;
  /** Offset in the window of the scratch's first byte. */
  readonly base: number;
  /** Where it starts: what every live member has had. */
  readonly start: Cursor;
  /** Where it ends: whoever took all slices has everything matching up to there. */
  readonly end: Cursor;
}

/** Hands the frames that a group collected in one batch to its live members: bytes put together once, then one corked write per member and slice. */
export class Delivery {
  readonly #groups: GroupTable;
  readonly #observer: ShardObserver;
  readonly #clock: Clock;
  readonly #failed: (session: Session, fault: unknown) => void;
  readonly #groupFailed: (members: readonly Session[], fault: unknown) => void;
  readonly #behind: (session: Session) => void;
  readonly #bytesMax: number;
  /** Bytes handed over in this drain. */
  #handed = 0;
  readonly #assembly = Buffer.allocUnsafeSlow(scratchBytes + windowRecordBytesMax);
  readonly #slices: Slice[] = [];

  constructor(dependencies: DeliveryDependencies) {
    this.#groups = dependencies.groups;
    this.#observer = dependencies.observer;
    this.#clock = dependencies.clock;
    this.#failed = dependencies.failed;
    this.#groupFailed = dependencies.groupFailed;
    this.#behind = dependencies.behind;
    this.#bytesMax = dependencies.bytesMax;
  }

  /** A drain begins. */
  begin(): void {
    this.#handed = 0;
  }

  /** Hands each group its frames, those that have few first: a thousand streams of one execution do not hold up the others. Never throws. */
  deliver(groups: readonly Group[], stretch: Stretch): void {
    const wallMs = this.#clock.wallMs();
    let heavy = 0;
    for (const group of groups) {
      const bytes = bytesOf(group);
      if (bytes <= drainLightBytesMax) this.#turnOf(group, bytes, wallMs, stretch);
      else heavy += 1;
    }
    if (heavy === 0) return;
    for (const group of groups) {
      // The light ones have none left.
      if (group.frames.length > 0) this.#turnOf(group, bytesOf(group), wallMs, stretch);
    }
  }

  /** What throws here costs this group, and no other that has its turn after it. `bytes`: of the frames that wait for each member. */
  #turnOf(group: Group, bytes: number, wallMs: number, stretch: Stretch): void {
    try {
      stretch.view.moveTo(group.frames[2] ?? 0);
      this.#observer.latency(Math.max(0, wallMs - stretch.view.timeMs));
      const forAll = bytes * group.members.length;
      if (bytes <= drainLightBytesMax || this.#handed + forAll <= this.#bytesMax) this.#hand(group, forAll, stretch);
      else this.#putBehind(group, stretch.start);
    } catch (fault) {
      group.frames.length = 0;
      this.#groupFailed([...group.members], fault);
    }
  }

  /** Too much for one step of the loop: its members read the same bytes by turns, between the drains (catch-up.ts). */
  #putBehind(group: Group, start: Cursor): void {
    group.frames.length = 0;
    for (const session of group.members.toReversed()) {
      try {
        this.#groups.leave(session);
        session.cursor ??= { ...start };
        copyCursor(start, session.cursor);
        session.advance('behind');
        this.#behind(session);
      } catch (fault) {
        // It is no member any more: nobody else would close it.
        this.#failed(session, fault);
      }
    }
  }

  /** Cost: bytes of the frames once, then one write per member and 20 KiB. */
  #hand(group: Group, forAll: number, { view, base, end }: Stretch): void {
    this.#handed += forAll;
    const count = this.#slice(group, view, base, end);
    group.frames.length = 0;
    const nowMs = this.#clock.monotonicMs();
    const members = group.members;
    // Backwards: a member that parks or fails is replaced by the last one, which has had its turn.
    for (let index = members.length - 1; index >= 0; index -= 1) {
      const session = members[index];
      if (session === undefined) continue;
      try {
        this.#write(session, count, nowMs);
      } catch (fault) {
        this.#failed(session, fault);
      }
    }
  }

  #write(session: Session, count: number, nowMs: number): void {
    for (let index = 0; index < count; index += 1) {
      const slice = this.#slices[index];
      if (slice === undefined) return;
      const outcome = session.socket.write(slice.bytes);
      this.#observer.delivered(slice.frames, slice.bytes.length);
      note(session, outcome, nowMs, slice.bytes.length);
      if (outcome === 'flushed') continue;
      this.#observer.parked();
      park(session, slice.end, this.#groups);
      return;
    }
  }

  /** Cuts the group's frames into slices; answers how many. The slices are reused by the next batch. */
  #slice(group: Group, view: RecordView, base: number, end: Cursor): number {
    const { frames } = group;
    const single = frames.length === frameFields;
    let count = 0;
    let written = 0;
    let sliceStart = 0;
    let sliceFrames = 0;
    let lastRecord = 0;
    const finish = (bytes: Buffer, last: boolean): void => {
      const slice = this.#sliceAt(count, bytes, sliceFrames);
      if (last) copyCursor(end, slice.end);
      else cursorBehind(view, lastRecord, base, slice.end);
      count += 1;
    };
    for (let index = 0; index < frames.length; index += frameFields) {
      const from = frames[index] ?? 0;
      const to = frames[index + 1] ?? 0;
      if (single) {
        sliceFrames = 1;
        finish(view.buffer.subarray(from, to), true);
        return count;
      }
      if (written > sliceStart && written - sliceStart + to - from > sessionWriteBytesMax) {
        finish(this.#assembly.subarray(sliceStart, written), false);
        sliceStart = written;
        sliceFrames = 0;
      }
      view.buffer.copy(this.#assembly, written, from, to);
      written += to - from;
      sliceFrames += 1;
      lastRecord = frames[index + 2] ?? 0;
    }
    if (written > sliceStart) finish(this.#assembly.subarray(sliceStart, written), true);
    return count;
  }

  #sliceAt(index: number, bytes: Buffer, frames: number): Slice {
    let slice = this.#slices[index];
    if (slice === undefined) {
      slice = {
        bytes,
        frames,
        end: { sequence: 0 as Cursor['sequence'], timeMs: 0, tag: 0 as Cursor['tag'], offset: -1 },
      };
      this.#slices[index] = slice;
    }
    slice.bytes = bytes;
    slice.frames = frames;
    return slice;
  }
}

/** Bytes of the frames that wait for each member. */
function bytesOf({ frames }: Group): number {
  let bytes = 0;
  for (let index = 0; index < frames.length; index += frameFields)
    bytes += (frames[index + 1] ?? 0) - (frames[index] ?? 0);
  return bytes;
}

/** The cursor just behind the record at `recordOffset` of a scratch that begins at `base` in the window. */
export function cursorBehind(view: RecordView, recordOffset: number, base: number, into: Cursor): void {
  view.moveTo(recordOffset);
  into.sequence = view.sequence;
  into.timeMs = view.timeMs;
  into.tag = view.tag;
  into.offset = base + recordOffset + view.length;
}
