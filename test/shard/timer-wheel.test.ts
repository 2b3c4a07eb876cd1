import test from 'ava';
import { TimerWheel, type WheelItem, type WheelLink } from '../../src/shard/stream/timer-wheel.ts';
import { type Random, seeded } from '../support/seeded.ts';

const slotMs = 250;
const slots = 17;

class Item implements WheelItem {
  wheelBefore: WheelLink | null = null;
  wheelAfter: WheelLink | null = null;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

function fractions(random: Random): () => number {
  return () => random.below(1_000_000) / 1_000_000;
}

/** The obvious one: a list that is sorted at each turn, with the slots' rounding and horizon told in one line each. */
class SortedList {
  readonly #waiting = new Map<Item, number>();
  #handMs: number;

  constructor(nowMs: number) {
    this.#handMs = Math.floor(nowMs / slotMs) * slotMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  put(item: Item, dueMs: number): void {
    const slotStartMs = Math.floor(dueMs / slotMs) * slotMs;
    this.#waiting.set(item, Math.min(this.#handMs + (slots - 1) * slotMs, Math.max(this.#handMs, slotStartMs)));
  }

  remove(item: Item): void {
    this.#waiting.delete(item);
  }

  takeDue(nowMs: number): Item[] {
    this.#handMs = Math.max(this.#handMs, Math.floor(nowMs / slotMs) * slotMs);
    const due = [...this.#waiting].filter(([, atMs]) => atMs <= nowMs).sort(([, one], [, other]) => one - other);
    for (const [item] of due) this.#waiting.delete(item);
    return due.map(([item]) => item);
  }
}

/** Null: out of both. */
function moveInBoth(item: Item, wheel: TimerWheel<Item>, list: SortedList, dueMs: number | null): void {
  wheel.remove(item);
  list.remove(item);
  if (dueMs === null) return;
  wheel.put(item, dueMs);
  list.put(item, dueMs);
}

// Without this, a stream could miss its heartbeat and be cut by a proxy, or stay in memory after its client has gone.
test('a wheel visits what a sorted list says is due, over 400 seeded rounds', (t) => {
  const random = fractions(seeded(t, 0x3ee1));
  let visits = 0;
  for (let round = 0; round < 400; round += 1) {
    let nowMs = random() * 1e9;
    const wheel = new TimerWheel<Item>(slotMs, slots, nowMs);
    const list = new SortedList(nowMs);
    const items = Array.from({ length: 30 }, (_, name) => new Item(name));
    for (let step = 0; step < 100; step += 1) {
      for (const item of items) {
        if (random() < 0.2) moveInBoth(item, wheel, list, random() < 0.7 ? nowMs + (random() - 0.1) * 6_000 : null);
      }
      // Mostly a tick; now and then the thread has stood still for seconds.
      nowMs += random() < 0.05 ? random() * 12_000 : 200 + random() * 100;
      const expected = list.takeDue(nowMs);
      const seen: Item[] = [];
      wheel.advance(nowMs, (item) => {
        if (item.wheelAfter === null) seen.push(item);
      });
      visits += seen.length;
      t.deepEqual(
        seen.map(({ name }) => name).sort((one, other) => one - other),
        expected.map(({ name }) => name).sort((one, other) => one - other),
      );
    }
    let left = 0;
    wheel.advance(nowMs + slots * slotMs, () => {
      left += 1;
    });
    t.is(left, list.size, 'whatever is in it is visited within its horizon');
  }
  t.true(visits > 50_000, `${visits} visits`);
});

test('what is due in time t is visited by the first turn at or after t, and at most a slot before it', (t) => {
  const random = fractions(seeded(t, 0xdea1));
  for (let round = 0; round < 2_000; round += 1) {
    const startMs = random() * 1e6;
    const wheel = new TimerWheel<Item>(slotMs, slots, startMs);
    const item = new Item(0);
    const dueMs = startMs + random() * slotMs * (slots - 1);
    wheel.put(item, dueMs);
    let nowMs = startMs;
    let visitedMs = -1;
    while (visitedMs < 0) {
      t.true(nowMs - slotMs < dueMs, 'it was forgotten');
      nowMs += slotMs;
      wheel.advance(nowMs, () => {
        visitedMs = nowMs;
      });
    }
    t.true(visitedMs > dueMs - slotMs && visitedMs - slotMs < dueMs);
  }
});

test('a visit may put its item in again for this very moment, and it waits for the next turn', (t) => {
  const wheel = new TimerWheel<Item>(slotMs, slots, 0);
  const item = new Item(0);
  let visits = 0;
  wheel.put(item, 0);
  for (let turn = 1; turn <= 5; turn += 1) {
    wheel.advance(turn, () => {
      visits += 1;
      wheel.put(item, turn);
    });
    t.is(visits, turn);
  }
});

test('a visit may remove another item that was to follow it in the same turn', (t) => {
  const wheel = new TimerWheel<Item>(slotMs, slots, 0);
  const items = [0, 1, 2].map((name) => new Item(name));
  for (const item of items) wheel.put(item, 0);
  const seen: number[] = [];
  wheel.advance(0, (item) => {
    seen.push(item.name);
    for (const other of items.slice(1)) wheel.remove(other);
  });
  t.deepEqual(seen, [0]);
  wheel.advance(100_000, ({ name }) => seen.push(name));
  t.deepEqual(seen, [0]);
});

test('a visit that throws costs its own turn: the others have theirs in the next', (t) => {
  const wheel = new TimerWheel<Item>(slotMs, slots, 0);
  for (const name of [0, 1, 2]) wheel.put(new Item(name), 0);
  t.throws(() => {
    wheel.advance(0, () => {
      throw new RangeError('of one');
    });
  });
  const seen: number[] = [];
  wheel.advance(0, ({ name }) => seen.push(name));
  t.deepEqual(seen, [1, 2]);
});
