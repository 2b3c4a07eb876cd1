import type { JournalStore } from '../../engine/journal-store.ts';

/** Rows of the index that one seek brings, and all seeks of the start together: ten thousand lanes must not begin with 64 rows each. */
const rowsPerSeekMax = 64;
const rowsAtStart = 4_096;

interface Lane {
  readonly executionId: string;
  rows: number[];
  /** Place in `rows` of the lane's next sequence. */
  place: number;
}

/**
 * The sequences of several executions in one ascending line: a heap of lanes, each read from the index in pieces.
 *
 * Cost: a seek per execution, then what is taken. Lives within one synchronous read.
 */
export class IndexMerge {
  readonly #store: JournalStore;
  readonly #eventsOnly: boolean;
  readonly #rowsPerSeek: number;
  /** A binary heap: no lane stands before its parent. */
  readonly #heap: Lane[] = [];

  constructor(store: JournalStore, executionIds: ReadonlySet<string>, after: number, eventsOnly: boolean) {
    this.#store = store;
    this.#eventsOnly = eventsOnly;
    this.#rowsPerSeek = Math.min(rowsPerSeekMax, Math.ceil(rowsAtStart / executionIds.size));
    for (const executionId of executionIds) {
      const lane: Lane = { executionId, rows: this.#seek(executionId, after), place: 0 };
      if (lane.rows.length > 0) this.#up(this.#heap.push(lane) - 1);
    }
  }

  /** The next sequence, or null at the end. */
  next(): number | null {
    const lane = this.#heap[0];
    const sequence = lane?.rows[lane.place];
    if (lane === undefined || sequence === undefined) return null;
    lane.place += 1;
    if (lane.place === lane.rows.length) {
      lane.rows = lane.rows.length < this.#rowsPerSeek ? [] : this.#seek(lane.executionId, sequence);
      lane.place = 0;
    }
    if (lane.rows.length === 0) {
      const last = this.#heap.pop();
      if (last !== undefined && this.#heap.length > 0) this.#heap[0] = last;
    }
    this.#down();
    return sequence;
  }

  #seek(executionId: string, after: number): number[] {
    return this.#store.sequencesOf(executionId, after, { eventsOnly: this.#eventsOnly, limit: this.#rowsPerSeek });
  }

  #key(place: number): number {
    const lane = this.#heap[place];
    return lane?.rows[lane.place] ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [laneA, laneB] = [this.#heap[a], this.#heap[b]];
    if (laneA === undefined || laneB === undefined) return;
    this.#heap[a] = laneB;
    this.#heap[b] = laneA;
  }

  #up(from: number): void {
    for (let place = from; place > 0; ) {
      const parent = (place - 1) >>> 1;
      if (this.#key(parent) <= this.#key(place)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #down(): void {
    for (let place = 0; ; ) {
      const left = place * 2 + 1;
      const least = this.#key(left + 1) < this.#key(left) ? left + 1 : left;
      if (this.#key(place) <= this.#key(least)) return;
      this.#swap(place, least);
      place = least;
    }
  }
}
