import { assert } from '../core/assert.ts';
import { compileFilter, type Filter, filterKey } from '../core/filter.ts';
import type { Sequence } from '../core/sequence.ts';
import type { PrefixTrie, TrieHandle } from './index/prefix-trie.ts';
import type { Session } from './stream/session.ts';
import type { WatchedValue } from './watch.ts';

/**
 * All streams of a shard with the same values and the same filter. An event is matched against the group once and its bytes are put
 * together once, however many streams there are.
 */
export class Group {
  readonly id: number;
  readonly key: string;
  /** Names its values, whatever the filter: groups that differ in the filter alone share blocks of history. */
  readonly valuesKey: string;
  readonly values: readonly WatchedValue<Session>[];
  readonly matches: (stage: string, path: string) => boolean;
  readonly filter: Filter;
  /** The live ones. The group stands in the index exactly while there is one. */
  readonly members: Session[] = [];
  /** Streams in any state; at 0 the group is forgotten. */
  refs = 0;
  handles: TrieHandle[] = [];
  /** Its number in the index while it stands there. */
  entry = -1;
  /** The last record that was matched: an event that reaches the group through two of its values counts once. */
  matchedSequence = -1 as Sequence;
  /** Start and end in the scratch of each frame of the present batch, and its record's offset in it: 3 numbers a frame. */
  readonly frames: number[] = [];
  readonly #valueSet: Set<WatchedValue<Session>>;

  constructor(id: number, key: string, values: readonly WatchedValue<Session>[], filter: Filter) {
    this.id = id;
    this.key = key;
    this.values = values;
    this.valuesKey = values
      .map((watched) => watched.value)
      .sort()
      .join('\n');
    this.filter = filter;
    this.matches = compileFilter(filter);
    this.#valueSet = new Set(values);
  }

  /** True when an event of the execution with this sequence belongs to one of the group's values. `reached`: the values that reach the execution. */
  watches(executionId: string, sequence: Sequence, reached: readonly WatchedValue<Session>[]): boolean {
    for (const watched of reached) {
      if (!this.#valueSet.has(watched)) continue;
      const since = watched.members.get(executionId);
      if (since !== undefined && since <= sequence) return true;
    }
    return false;
  }

  /** Every execution of its values, once. */
  executionIds(): string[] {
    const first = this.values[0];
    if (this.values.length === 1 && first !== undefined) return [...first.members.keys()];
    const ids = new Set<string>();
    for (const watched of this.values) {
      for (const executionId of watched.members.keys()) ids.add(executionId);
    }
    return [...ids];
  }
}

/** Interns groups and keeps those with live members in the index. */
export class GroupTable {
  readonly #groups = new Map<string, Group>();
  readonly #trie: PrefixTrie;
  /** Those in the index, by their number there; a number that is free is taken by the next group. */
  readonly #byEntry: (Group | null)[] = [];
  readonly #entriesFree: number[] = [];
  #nextId = 1;

  constructor(trie: PrefixTrie) {
    this.#trie = trie;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Cost: O(values) to build the key. */
  static keyOf(values: readonly string[], filter: Filter): string {
    return JSON.stringify([[...values].sort(), filterKey(filter)]);
  }

  retain(key: string, values: readonly WatchedValue<Session>[], filter: Filter): Group {
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new Group(this.#nextId, key, values, filter);
      this.#nextId += 1;
      this.#groups.set(key, group);
    }
    group.refs += 1;
    return group;
  }

  release(group: Group): void {
    group.refs -= 1;
    if (group.refs === 0) this.#groups.delete(group.key);
  }

  /** The group of a number that the index answered. */
  ofEntry(entry: number): Group {
    const group = this.#byEntry[entry];
    assert(group !== null && group !== undefined, 'the index answers groups that stand in it');
    return group;
  }

  /** A stream becomes live. O(1), and O(values) for the first of its group. */
  join(session: Session): void {
    const group = session.group;
    session.memberIndex = group.members.length;
    group.members.push(session);
    if (group.members.length > 1) return;
    group.entry = this.#entriesFree.pop() ?? this.#byEntry.length;
    this.#byEntry[group.entry] = group;
    for (const watched of group.values) {
      if (watched.root === 0) watched.root = this.#trie.openRoot();
      group.handles.push(this.#trie.add(watched.root, group.filter, group.entry));
    }
  }

  /** A stream is no longer live. O(1): the last member takes its place. */
  leave(session: Session): void {
    if (session.memberIndex < 0) return;
    const group = session.group;
    const last = group.members.pop();
    if (last !== undefined && last !== session) {
      group.members[session.memberIndex] = last;
      last.memberIndex = session.memberIndex;
    }
    session.memberIndex = -1;
    if (group.members.length > 0) return;
    for (const handle of group.handles) this.#trie.remove(handle);
    group.handles = [];
    this.#byEntry[group.entry] = null;
    this.#entriesFree.push(group.entry);
    group.entry = -1;
    for (const watched of group.values) {
      if (watched.root !== 0 && this.#trie.closeRoot(watched.root)) watched.root = 0;
    }
  }
}
