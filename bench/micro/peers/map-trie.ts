import { lowerAscii } from '../../../src/core/event.ts';
import { type Filter, matchesNothing, wildcard } from '../../../src/core/filter.ts';
import { type Few, fewAdd, fewGet, fewRemove } from './few.ts';
import { ensureSegments, isEmptyNode, pruneSegments, type SegmentNode, segmentRoot } from './segment-tree.ts';

/**
 * The index from an event to those who want it: a prefix trie.
 *
 *   root key ──▶ TrieRoot
 *                  │ stage segments              path segments                 extension
 *                  ● ─ 'boost' ─▶ ● ─ 'routines' ─▶ ●
 *                  │              │
 *                  │              └─▶ (path tree) ● ─ 'reports' ─▶ ● ─▶ Leaf { every:  [A, B]
 *                  │                                                           '.md':  [C]   }
 *                  └─▶ (path tree) ● ─▶ Leaf { every: [D] }
 *
 * A filter stands in exactly one bucket: under its stage prefix, in the path tree of that node under its path prefix, in the leaf of
 * that node by its extension. An event walks down its stage; each node on the way that has a path tree is walked by its path; each
 * node on that way that has a leaf gives its buckets. So the cost depends on the depth of the event, not on the number of filters.
 *
 * Invariants, checked against a linear scan by what was here before:
 *   T1  no empty node, bucket, path tree or root is kept (segment-tree.ts): after the last removal nothing is left.
 *   T2  a handle's bucket has the handle at the handle's slot.
 *   T3  `match` gives each entry once for each time it was added.
 *   T4  a filter that can match nothing is in no bucket.
 */
export class MapTrie<Entry> {
  readonly #roots = new Map<string, RootNode<Entry>>();
  #size = 0;
  /** Longest extension ever added: a file name of a thousand dots has a thousand endings, of which none longer can be wanted. */
  #extensionLengthMax = 0;
  /** Of the event being matched; null until a leaf asks. */
  #endings: string[] | null = null;

  /** Filters in the index, those that match nothing included. */
  get size(): number {
    return this.#size;
  }

  /** Root keys in use. */
  get rootCount(): number {
    return this.#roots.size;
  }

  /** Adds `entry` under a key. Cost: O(segments). */
  add(rootKey: string, filter: Filter, entry: Entry): MapTrieHandle<Entry> {
    this.#size += 1;
    if (matchesNothing(filter)) return new MapTrieHandle(entry, null, 0);
    let root = this.#roots.get(rootKey);
    if (root === undefined) {
      root = { key: rootKey, stages: segmentRoot() };
      this.#roots.set(rootKey, root);
    }
    this.#extensionLengthMax = Math.max(this.#extensionLengthMax, filter.extension?.length ?? 0);
    const handle = new MapTrieHandle<Entry>(entry, null, 0);
    putHandle(leafOf(root, filter), filter.extension ?? everyKey, handle);
    return handle;
  }

  /** Takes out what `add` put in; false when it was out already. Cost: O(1), and O(segments) when a branch becomes empty. */
  remove(handle: MapTrieHandle<Entry>): boolean {
    if (handle.removed) return false;
    handle.removed = true;
    this.#size -= 1;
    const bucket = handle.bucket as Bucket<Entry> | null; // only this module makes handles
    if (bucket === null) return true;
    handle.bucket = null;
    const last = bucket.handles.pop();
    if (last !== undefined && last !== handle) {
      bucket.handles[handle.slot] = last;
      last.slot = handle.slot;
    }
    if (bucket.handles.length === 0) this.#dropBucket(bucket);
    return true;
  }

  /** Where `match` starts, or null when nothing is under the key. Holds until the next `add` or `remove`. */
  root(rootKey: string): TrieRoot | null {
    return this.#roots.get(rootKey) ?? null;
  }

  /**
   * Collects the entries whose filter passes an event.
   *
   * @param root           from `root`, of this trie
   * @param stageSegments  of the event's stage, at least one, none empty
   * @param pathSegments   of the event's path, at least one, none empty
   * @param into           entries are appended, in no order
   * @returns              how many were appended
   * Cost: O(depth of stage x depth of path) steps at most, usually a handful; no allocation beyond `into` unless an extension is asked for.
   */
  match(root: TrieRoot, stageSegments: readonly string[], pathSegments: readonly string[], into: Entry[]): number {
    const before = into.length;
    this.#endings = null;
    let node = (root as RootNode<Entry>).stages; // TrieRoot is the outer face of RootNode
    if (node.value !== null) this.#matchPath(node.value.paths, pathSegments, into);
    for (const segment of stageSegments) {
      if (node.partials !== null) this.#matchStagePartials(node.partials, segment, pathSegments, into);
      const child = fewGet(node.children, segment);
      if (child === undefined) break;
      node = child;
      if (node.value !== null) this.#matchPath(node.value.paths, pathSegments, into);
    }
    return into.length - before;
  }

  #matchStagePartials(
    partials: Partials<Branch<Entry>>,
    segment: string,
    pathSegments: readonly string[],
    into: Entry[],
  ): void {
    for (const [length, ofLength] of partials) {
      if (length > segment.length) continue;
      const value = ofLength.get(segment.slice(0, length))?.value;
      if (value) this.#matchPath(value.paths, pathSegments, into);
    }
  }

  #matchPath(tree: PathNode<Entry>, segments: readonly string[], into: Entry[]): void {
    let node = tree;
    if (node.value !== null) this.#matchLeaf(node.value, segments, into);
    for (const segment of segments) {
      if (node.partials !== null) this.#matchPathPartials(node.partials, segment, segments, into);
      const child = fewGet(node.children, segment);
      if (child === undefined) return;
      node = child;
      if (node.value !== null) this.#matchLeaf(node.value, segments, into);
    }
  }

  #matchPathPartials(
    partials: Partials<Leaf<Entry>>,
    segment: string,
    segments: readonly string[],
    into: Entry[],
  ): void {
    for (const [length, ofLength] of partials) {
      if (length > segment.length) continue;
      const value = ofLength.get(segment.slice(0, length))?.value;
      if (value) this.#matchLeaf(value, segments, into);
    }
  }

  #matchLeaf(leaf: Leaf<Entry>, segments: readonly string[], into: Entry[]): void {
    if (leaf.every !== null) collect(leaf.every, into);
    if (leaf.byExtension === null) return;
    this.#endings ??= endingsOf(segments[segments.length - 1] ?? '', this.#extensionLengthMax);
    for (const ending of this.#endings) {
      const bucket = fewGet(leaf.byExtension, ending);
      if (bucket !== undefined) collect(bucket, into);
    }
  }

  #dropBucket(bucket: Bucket<Entry>): void {
    const leaf = bucket.leaf;
    if (bucket.key === everyKey) leaf.every = null;
    else leaf.byExtension = fewRemove(leaf.byExtension, bucket.key);
    if (leaf.every !== null || leaf.byExtension !== null) return;
    const { pathNode, branch } = leaf;
    pathNode.value = null;
    pruneSegments(pathNode);
    if (!isEmptyNode(branch.paths)) return;
    branch.stageNode.value = null;
    pruneSegments(branch.stageNode);
    if (isEmptyNode(branch.root.stages)) this.#roots.delete(branch.root.key);
  }
}

/** What stands under one root key. Opaque: hand it back to `match`. */
export interface TrieRoot {
  readonly key: string;
}

/** One filter in the index; give it to `remove`. The fields are the trie's own but for `entry`. */
export class MapTrieHandle<Entry> {
  readonly entry: Entry;
  /** Null: in no bucket, because the filter matches nothing or was removed. */
  bucket: object | null;
  slot: number;
  removed = false;
  constructor(entry: Entry, bucket: object | null, slot: number) {
    this.entry = entry;
    this.bucket = bucket;
    this.slot = slot;
  }
}

type PathNode<Entry> = SegmentNode<Leaf<Entry>>;
type StageNode<Entry> = SegmentNode<Branch<Entry>>;
type Partials<Value> = Map<number, Map<string, SegmentNode<Value>>>;

interface RootNode<Entry> extends TrieRoot {
  readonly stages: StageNode<Entry>;
}

/** The path tree of one stage prefix, and the way back up from it, for removal. */
interface Branch<Entry> {
  readonly paths: PathNode<Entry>;
  readonly stageNode: StageNode<Entry>;
  readonly root: RootNode<Entry>;
}

/** Where a stage prefix and a path prefix end. */
interface Leaf<Entry> {
  every: Bucket<Entry> | null;
  byExtension: Few<Bucket<Entry>>;
  readonly pathNode: PathNode<Entry>;
  readonly branch: Branch<Entry>;
}

/** The key of a bucket without an extension; an extension is never empty. */
const everyKey = '';

interface Bucket<Entry> {
  /** The extension, or `everyKey`. */
  readonly key: string;
  readonly handles: MapTrieHandle<Entry>[];
  readonly leaf: Leaf<Entry>;
}

function leafOf<Entry>(root: RootNode<Entry>, filter: Filter): Leaf<Entry> {
  const stageNode = nodeOf(root.stages, filter.stage);
  const branch = (stageNode.value ??= { paths: segmentRoot(), stageNode, root });
  const pathNode = nodeOf(branch.paths, filter.path);
  return (pathNode.value ??= { every: null, byExtension: null, pathNode, branch });
}

function putHandle<Entry>(leaf: Leaf<Entry>, key: string, handle: MapTrieHandle<Entry>): void {
  const there = key === everyKey ? leaf.every : fewGet(leaf.byExtension, key);
  if (there) {
    handle.slot = there.handles.length;
    handle.bucket = there;
    there.handles.push(handle);
    return;
  }
  // A literal of one has room for one: most buckets stay so, and the first push to an empty array makes room for seventeen.
  const bucket: Bucket<Entry> = { key, handles: [handle], leaf };
  handle.bucket = bucket;
  if (key === everyKey) leaf.every = bucket;
  else leaf.byExtension = fewAdd(leaf.byExtension, bucket);
}

function nodeOf<Value>(root: SegmentNode<Value>, prefix: string | null): SegmentNode<Value> {
  if (prefix === null) return root;
  const segments = prefix.split('/');
  if (!prefix.endsWith(wildcard)) return ensureSegments(root, segments, null);
  const last = segments.pop() ?? '';
  return ensureSegments(root, segments, last.slice(0, -1));
}

function collect<Entry>(bucket: Bucket<Entry>, into: Entry[]): void {
  for (const handle of bucket.handles) into.push(handle.entry);
}

/** `report.tar.gz` gives `.tar.gz` and `.gz`; a dot that comes first begins no extension. ASCII lower case; none longer than `lengthMax`. */
function endingsOf(fileName: string, lengthMax: number): string[] {
  const name = lowerAscii(fileName);
  const endings: string[] = [];
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    if (name.length - dot > lengthMax) break;
    endings.push(name.slice(dot));
  }
  return endings;
}
