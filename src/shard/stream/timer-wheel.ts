import { assert } from '../../core/assert.ts';

/**
 * What a wheel turns: an item carries its own links, so that one costs two references and no object. Only the wheel writes them; both are null while it
 * stands in none.
 */
export interface WheelItem {
  wheelBefore: WheelLink | null;
  wheelAfter: WheelLink | null;
}

export type WheelLink = WheelItem | WheelSlot;

/** Both ends of a ring through the items of one slot: of an empty one, both are itself. */
interface WheelSlot {
  wheelBefore: WheelLink;
  wheelAfter: WheelLink;
}

/**
 * Items by the time at which they want to be looked at. Knows nothing of what they are.
 *
 *   slot      0        1        2        3      …   slots - 1
 *           ┌────┐   ┌────┐   ┌────┐   ┌────┐       ┌────┐     slot = ⌊due / slotMs⌋ mod slots
 *           │ a  │   │    │   │ d  │   │ e  │       │    │     each a ring through its items
 *           │ b  │   │    │   │    │   │    │       │    │
 *           └────┘   └────┘   └────┘   └────┘       └────┘
 *              ▲ now: the hand; it stays on the slot of the present until that is over
 *
 * H1  An item is visited by the first `advance` at or after its due time; up to one slot early, as a slot has one time: whoever visits asks the clock.
 * H2  It stands in the wheel once at most. A visit takes it out; whoever visits puts it in again.
 * H3  What is due beyond the horizon, `slots - 1` slots ahead of the hand, is visited there, early.
 *
 * A due time that moves away needs nothing: the visit finds nothing to do, and puts the item where it belongs by then. So whoever only postpones, which is
 * every write to a stream, pays nothing.
 * Cost: `put` and `remove` O(1), without allocation; `advance` O(slots passed + items in them), however many others there are.
 * Check: test/shard/timer-wheel.test.ts, against a sorted list.
 */
export class TimerWheel<Item extends WheelItem> {
  readonly #slotMs: number;
  readonly #slots: readonly WheelSlot[];
  /** Number of the slot that the hand is on, counted from time 0. */
  #hand: number;
  /** What `advance` has still to visit. */
  readonly #passing: WheelSlot = emptySlot();

  constructor(slotMs: number, slots: number, nowMs: number) {
    this.#slotMs = slotMs;
    this.#slots = Array.from({ length: slots }, () => emptySlot());
    this.#hand = Math.floor(nowMs / slotMs);
  }

  /** A due time in the past is one for the next `advance`. */
  put(item: Item, dueMs: number): void {
    assert(item.wheelAfter === null, 'an item stands in a wheel once');
    const last = this.#hand + this.#slots.length - 1;
    append(this.#slotOf(Math.min(last, Math.max(this.#hand, Math.floor(dueMs / this.#slotMs)))), item);
  }

  /** Nothing when it stands in none. */
  remove(item: Item): void {
    const { wheelBefore: before, wheelAfter: after } = item;
    if (before === null || after === null) return;
    before.wheelAfter = after;
    after.wheelBefore = before;
    item.wheelBefore = null;
    item.wheelAfter = null;
  }

  /** Visits what is due, in the order of slots. A visit may put in and remove any item. One that throws ends the call, and the next one goes on behind it. */
  advance(nowMs: number, visit: (item: Item) => void): void {
    const present = Math.max(this.#hand, Math.floor(nowMs / this.#slotMs));
    const first = Math.max(this.#hand, present - this.#slots.length + 1);
    for (let slot = first; slot <= present; slot += 1) moveAll(this.#slotOf(slot), this.#passing);
    // Before the visits: what they put in is counted from here.
    this.#hand = present;
    for (let item = this.#next(); item !== null; item = this.#next()) {
      this.remove(item);
      visit(item);
    }
  }

  #next(): Item | null {
    const { wheelAfter } = this.#passing;
    return wheelAfter === this.#passing ? null : (wheelAfter as Item); // a ring has one slot, and the rest are items
  }

  #slotOf(slot: number): WheelSlot {
    return this.#slots[slot % this.#slots.length] as WheelSlot; // 0 ≤ slot % length < length
  }
}

function emptySlot(): WheelSlot {
  const slot = {} as WheelSlot;
  slot.wheelBefore = slot;
  slot.wheelAfter = slot;
  return slot;
}

function append(slot: WheelSlot, item: WheelItem): void {
  const last = slot.wheelBefore;
  item.wheelBefore = last;
  item.wheelAfter = slot;
  last.wheelAfter = item;
  slot.wheelBefore = item;
}

function moveAll(from: WheelSlot, to: WheelSlot): void {
  const first = from.wheelAfter;
  if (first === from) return;
  const last = from.wheelBefore;
  first.wheelBefore = to.wheelBefore;
  to.wheelBefore.wheelAfter = first;
  last.wheelAfter = to;
  to.wheelBefore = last;
  from.wheelAfter = from;
  from.wheelBefore = from;
}
