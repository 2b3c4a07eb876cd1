import type { Filter } from '../../src/core/filter.ts';
import { PrefixTrie, type TrieHandle, type TrieRoot } from '../../src/shard/index/prefix-trie.ts';
import type { TextHash } from '../../src/shard/index/records/text-hash.ts';

export interface KeyedHandle {
  readonly key: string;
  readonly handle: TrieHandle;
}

/** The index with roots by key, opened with their first filter and closed with their last, and events as texts. */
export class KeyedTrie {
  readonly trie: PrefixTrie;
  readonly #roots = new Map<string, TrieRoot>();

  constructor(text?: TextHash) {
    this.trie = new PrefixTrie(text);
  }

  add(key: string, filter: Filter, entry: number): KeyedHandle {
    let root = this.#roots.get(key);
    if (root === undefined) {
      root = this.trie.openRoot();
      this.#roots.set(key, root);
    }
    return { key, handle: this.trie.add(root, filter, entry) };
  }

  remove({ key, handle }: KeyedHandle): void {
    this.trie.remove(handle);
    const root = this.#roots.get(key);
    if (root !== undefined && this.trie.closeRoot(root)) this.#roots.delete(key);
  }

  /** Rising. */
  match(key: string, stage: string, path: string): number[] {
    const root = this.#roots.get(key);
    const into: number[] = [];
    if (root === undefined) return into;
    const before = '<before>';
    const bytes = Buffer.from(`${before}${stage}${path}<after>`);
    const pathStart = before.length + Buffer.byteLength(stage);
    this.trie.aim(bytes, before.length, pathStart, pathStart + Buffer.byteLength(path));
    const count = this.trie.match(root, into);
    if (count !== into.length) throw new RangeError('the count is not what was appended');
    return into.sort((one, other) => one - other);
  }

  hasRoot(key: string): boolean {
    return this.#roots.has(key);
  }
}
