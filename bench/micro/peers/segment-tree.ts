import { type Few, fewAdd, fewGet, fewRemove } from './few.ts';

/**
 * A node of a tree over `/`-separated names: one edge a segment, and besides edges for the beginnings of segments.
 *
 *   (root) ── 'boost' ──▶ ● ── 'routines' ──▶ ●       children: the whole segment
 *                         └╌╌ 2:'ro' ╌╌▶ ○            partials: by length, then by text; a segment that begins with it
 *
 * A partial node (○) ends a name: it has a value and no edges. Knows nothing of what the values are.
 *
 * Invariant: a node other than the root has a value or an edge below it; `pruneSegments` keeps it so.
 */
export interface SegmentNode<Value> {
  /** The segment, or its beginning, on the edge from the parent. */
  readonly key: string;
  readonly isPartial: boolean;
  readonly parent: SegmentNode<Value> | null;
  value: Value | null;
  children: Few<SegmentNode<Value>>;
  partials: Map<number, Map<string, SegmentNode<Value>>> | null;
}

export function segmentRoot<Value>(): SegmentNode<Value> {
  return { key: '', isPartial: false, parent: null, value: null, children: null, partials: null };
}

/** The node of a name below `root`, made if need be. `partial` is the beginning of one more segment, or null. */
export function ensureSegments<Value>(
  root: SegmentNode<Value>,
  segments: readonly string[],
  partial: string | null,
): SegmentNode<Value> {
  let node = root;
  for (const segment of segments) node = ensureChild(node, segment);
  return partial === null ? node : ensurePartial(node, partial);
}

/** Cuts off `node`, and above it all that has become empty. Call when a value was set to null. The root stays. */
export function pruneSegments<Value>(node: SegmentNode<Value>): void {
  let empty = node;
  while (empty.parent !== null && isEmptyNode(empty)) {
    const parent = empty.parent;
    if (empty.isPartial) removePartial(parent, empty.key);
    else parent.children = fewRemove(parent.children, empty.key);
    empty = parent;
  }
}

export function isEmptyNode(node: SegmentNode<unknown>): boolean {
  return node.value === null && node.children === null && node.partials === null;
}

function ensureChild<Value>(parent: SegmentNode<Value>, key: string): SegmentNode<Value> {
  const there = fewGet(parent.children, key);
  if (there !== undefined) return there;
  const child = { key, isPartial: false, parent, value: null, children: null, partials: null };
  parent.children = fewAdd(parent.children, child);
  return child;
}

function ensurePartial<Value>(parent: SegmentNode<Value>, key: string): SegmentNode<Value> {
  parent.partials ??= new Map();
  let ofLength = parent.partials.get(key.length);
  if (ofLength === undefined) {
    ofLength = new Map();
    parent.partials.set(key.length, ofLength);
  }
  let node = ofLength.get(key);
  if (node === undefined) {
    node = { key, isPartial: true, parent, value: null, children: null, partials: null };
    ofLength.set(key, node);
  }
  return node;
}

function removePartial<Value>(parent: SegmentNode<Value>, key: string): void {
  const ofLength = parent.partials?.get(key.length);
  ofLength?.delete(key);
  if (ofLength?.size === 0) parent.partials?.delete(key.length);
  if (parent.partials?.size === 0) parent.partials = null;
}
