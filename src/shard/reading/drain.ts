import type { Position } from '../../contract/shard-messages.ts';
import type { WindowMark, WindowReader } from '../../contract/window.ts';
import { assert } from '../../core/assert.ts';
import { scratchBytes } from '../../core/limits.ts';
import { RecordView, recordKind } from '../../wire/frame/window-record.ts';
import type { Group, GroupTable } from '../group.ts';
import type { PrefixTrie } from '../index/prefix-trie.ts';
import { type Cursor, copyCursor, cursorAt, type Session } from '../stream/session.ts';
import type { WatchedValue, WatchTable } from '../watch.ts';
import type { Delivery } from './delivery.ts';

export interface DrainDependencies {
  readonly window: WindowReader;
  readonly watch: WatchTable<Session>;
  readonly trie: PrefixTrie;
  readonly groups: GroupTable;
  readonly delivery: Delivery;
  /** After each batch. */
  readonly beat: () => void;
}

/**
 * The walk of a shard through the window, and its position P.
 *
 *   1. Copy whole records from the window to private scratch; the copy is answered only if low-water had not passed it (torn bytes never get further).
 *   2. Walk the copy in record order: a change moves the watch table, an event is matched and its frame noted at each group.
 *   3. Each group that was touched gets its bytes put together once and written to its live members.
 *   4. The position moves behind the last record of the copy; then the next copy.
 *
 * One call is one synchronous step: no socket callback and no message comes between.
 */
export class Drain {
  /** The shard's drain position: every record up to it has been applied. */
  readonly position: Cursor;
  readonly #with: DrainDependencies;
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes);
  readonly #view = new RecordView();
  readonly #touched: Group[] = [];
  readonly #matched: number[] = [];
  #over: WatchedValue<Session>[] = [];

  constructor(dependencies: DrainDependencies, position: Cursor) {
    this.#with = dependencies;
    this.position = position;
  }

  /**
   * Applies every record up to `to`, beginning at `from` if the position lies before it: nothing that this shard watches lies between.
   * `lapped`: the window has moved past the position, which stays where it was. So it does when a record throws.
   */
  run(from: WindowMark, to: Position): 'drained' | 'lapped' {
    const { position } = this;
    this.#with.delivery.begin();
    let base = Math.max(position.offset, from.offset);
    while (base < to.offset) {
      const copy = this.#with.window.copy(base, to.offset, this.#scratch);
      if (copy.kind === 'overtaken') return 'lapped';
      this.#view.attach(this.#scratch, copy.bytes);
      // Nothing of interest lies before `base`: whoever is put behind need not look for it there.
      const start = { ...position, offset: base };
      this.#walkWhole(base, start);
      assert(position.offset > base, 'a copy of the window must hold a whole record');
      this.#deliver(base, start);
      this.#with.beat();
      base = position.offset;
    }
    if (base === to.offset) copyCursor(cursorAt(to, to.offset), position);
    return 'drained';
  }

  /** Values whose executions have all ended since the last call. */
  takeOver(): WatchedValue<Session>[] {
    const over = this.#over;
    if (over.length > 0) this.#over = [];
    return over;
  }

  /** A record that throws leaves nothing behind: no frame noted for a batch that is not delivered, no position that was not reached. */
  #walkWhole(base: number, before: Cursor): void {
    try {
      this.#walk(base);
    } catch (fault) {
      copyCursor(before, this.position);
      for (const group of this.#touched) group.frames.length = 0;
      this.#touched.length = 0;
      throw fault;
    }
  }

  #walk(base: number): void {
    const view = this.#view;
    const { position } = this;
    let offset = 0;
    while (view.moveTo(offset)) {
      if (view.kind === recordKind.event) this.#match(offset);
      else if (view.kind === recordKind.change) this.#change();
      const length = view.length;
      if (view.kind !== recordKind.skip) {
        position.sequence = view.sequence;
        position.timeMs = view.timeMs;
        position.tag = view.tag;
      }
      offset += length;
    }
    position.offset = base + offset;
  }

  #match(offset: number): void {
    const view = this.#view;
    const { watch, trie, groups } = this.#with;
    const executionId = view.executionId();
    let entry = watch.execution(executionId);
    if (entry === undefined) {
      watch.applyEvent(executionId);
      entry = watch.execution(executionId);
      if (entry === undefined) return;
    }
    trie.aim(view.buffer, view.stageStart, view.pathStart, view.frameStart);
    const matched = this.#matched;
    matched.length = 0;
    for (const watched of entry.values) {
      if (watched.root !== 0) trie.match(watched.root, matched);
    }
    for (const number of matched) {
      const group = groups.ofEntry(number);
      if (group.matchedSequence === view.sequence) continue;
      group.matchedSequence = view.sequence;
      if (group.frames.length === 0) this.#touched.push(group);
      group.frames.push(view.frameStart, view.frameEnd, offset);
    }
  }

  #change(): void {
    const view = this.#view;
    const over = this.#with.watch.applyChange({
      executionId: view.executionId(),
      status: view.status,
      tags: view.tags(),
      sequence: view.sequence,
    });
    for (const watched of over) this.#over.push(watched);
  }

  #deliver(base: number, start: Cursor): void {
    if (this.#touched.length === 0) return;
    this.#with.delivery.deliver(this.#touched, { view: this.#view, base, start, end: this.position });
    this.#touched.length = 0;
  }
}
