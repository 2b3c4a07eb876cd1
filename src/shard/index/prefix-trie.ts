import { assert } from '../../core/assert.ts';
import { type Filter, matchesNothing, wildcard } from '../../core/filter.ts';
import { FilterTable } from './filter-table.ts';
import { beginning, extension, type Name, NameTrie, wholeSegment } from './name-trie.ts';
import { TextHash, textBytesMax } from './records/text-hash.ts';
import { Trail } from './trail.ts';

/**
 * The index from an event to those who want it: a prefix trie of names, and by root the filters that stand at its nodes.
 *
 *   record's bytes ─ stage ─▶ trail ─┐   name-trie.ts: every stage and path prefix in use, once      trail.ts: the event's way through it
 *                  ─ path ──▶ trail ─┤
 *                                    ▼
 *   root (an execution, a tag) ──▶ filter-table.ts: (root, stage name, path name, extension) ──▶ entries
 *
 * Entries are numbers that the caller gives out. All of it is records in typed arrays (record-pool.ts) and tables that grow by a bucket at a time
 * (linear-hash.ts): no object a filter, nothing for the collector to walk, no step that takes long. Texts are compared as the bytes of the record.
 *
 * Invariants, checked against a linear scan by test/shard/prefix-trie.oracle.test.ts:
 *   T1  no name and no key without a filter is kept: after the last removal nothing is left, and memory goes back with it.
 *       In between, what was removed is taken again before more is asked for: memory is bounded by the most filters at once.
 *   T2  a handle is the record of its filter, which does not move.
 *   T3  `match` gives each entry once for each time it was added.
 *   T4  a filter that can match nothing is nowhere.
 */
export class PrefixTrie {
  readonly #names: NameTrie;
  readonly #filters: FilterTable;
  readonly #stage: Trail;
  readonly #path: Trail;
  readonly #scratch = Buffer.alloc(textBytesMax + 1);
  #size = 0;

  /** `text`: for tests, with factors that make everything collide. */
  constructor(text: TextHash = new TextHash()) {
    this.#names = new NameTrie(text);
    this.#filters = new FilterTable(text);
    this.#stage = new Trail(this.#names);
    this.#path = new Trail(this.#names);
  }

  /** Filters in the index, those that match nothing included. */
  get size(): number {
    return this.#size;
  }

  /** Roots that are open. */
  get rootCount(): number {
    return this.#filters.rootCount;
  }

  /** Names in use. */
  get nameCount(): number {
    return this.#names.size;
  }

  /** What is kept beside the filters of large roots. */
  get keyCount(): number {
    return this.#filters.keyCount;
  }

  /** A new root, without filters: what stands under one value. O(1). */
  openRoot(): TrieRoot {
    return this.#filters.openRoot();
  }

  /** Gives a root back; false, and nothing done, while it has filters. O(1). */
  closeRoot(root: TrieRoot): boolean {
    if (this.#filters.count(root) > 0) return false;
    this.#filters.closeRoot(root);
    return true;
  }

  /** Adds `entry`, a whole number from 0 to 2^31 - 1, under a root. Cost: O(segments). */
  add(root: TrieRoot, filter: Filter, entry: number): TrieHandle {
    this.#size += 1;
    if (matchesNothing(filter) || isTooLong(filter)) return nowhere;
    const stage = this.#prefix(filter.stage);
    const path = this.#prefix(filter.path);
    const { extension: text } = filter;
    const ending = text === null ? 0 : this.#name(0, extension, 0, this.#encode(text));
    return this.#filters.add({ root, stage, path, ending, entry });
  }

  /** Takes out what `add` put in; once for each handle. Cost: O(1), and O(segments) when a branch becomes empty. */
  remove(handle: TrieHandle): void {
    assert(this.#size > 0, 'a handle is removed once');
    this.#size -= 1;
    if (handle === nowhere) return;
    const filters = this.#filters;
    const stage = filters.stage(handle);
    const path = filters.path(handle);
    const ending = filters.ending(handle);
    filters.remove(handle);
    this.#names.release(stage);
    this.#names.release(path);
    this.#names.release(ending);
  }

  /**
   * Takes the next event: its names are looked up once, for all roots that `match` is asked for. Holds until the next `add` or `remove`,
   * and while the bytes stay as they are.
   *
   * @param bytes  where the stage stands from `stageStart` to `pathStart`, and the path from there to `pathEnd`; UTF-8, no segment empty
   */
  aim(bytes: Uint8Array, stageStart: number, pathStart: number, pathEnd: number): void {
    this.#stage.aim(bytes, stageStart, pathStart);
    this.#path.aim(bytes, pathStart, pathEnd);
  }

  /**
   * Collects the entries under a root whose filter passes the event that was aimed at.
   *
   * @param into  entries are appended, in no order
   * @returns     how many were appended
   * Cost: the filters of a small root; else a look-up for each stage name, path name and extension of the event that the index has. No allocation.
   */
  match(root: TrieRoot, into: number[]): number {
    const before = into.length;
    this.#filters.match(root, this.#stage, this.#path, into);
    return into.length - before;
  }

  /** The name of a prefix, with a reference to it. */
  #prefix(prefix: string | null): Name {
    if (prefix === null) return 0;
    const bytes = this.#scratch;
    const isPartial = prefix.endsWith(wildcard);
    const end = this.#encode(prefix) - (isPartial ? 1 : 0);
    let name = 0;
    let start = 0;
    for (let at = 0; at < end; at += 1) {
      if (bytes[at] !== slash) continue;
      name = this.#name(name, wholeSegment, start, at);
      start = at + 1;
    }
    return this.#name(name, isPartial ? beginning : wholeSegment, start, end);
  }

  #name(parent: Name, kind: 0 | 1 | 2, start: number, end: number): Name {
    return this.#names.ensure(parent, kind, this.#scratch, start, end);
  }

  #encode(text: string): number {
    return this.#scratch.write(text, 'utf8');
  }
}

/** What stands under one value. */
export type TrieRoot = number;

/** One filter in the index: hand it to `remove`. */
export type TrieHandle = number;

/** Of a filter that matches nothing. */
const nowhere: TrieHandle = 0;
const slash = 0x2f;

/** No event has a text as long as one of the filter's. */
function isTooLong({ stage, path, extension: ending }: Filter): boolean {
  return bytesOf(stage) > textBytesMax || bytesOf(path) > textBytesMax || bytesOf(ending) > textBytesMax;
}

/** Without the star. */
function bytesOf(text: string | null): number {
  if (text === null) return 0;
  return Buffer.byteLength(text) - (text.endsWith(wildcard) ? 1 : 0);
}
