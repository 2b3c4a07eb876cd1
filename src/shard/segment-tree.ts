/**
 * A node of a tree over `/`-separated names: one edge a segment, and besides edges for the beginnings of segments.
 *
 *   (root) ── 'boost' ──▶ ● ── 'routines' ──▶ ●       children: the whole segment
 *                         └╌╌ 2:'ro' ╌╌▶ ○            partials: by length, then by text; a segment that begins with it
 *
 * A partial node (○) ends a name: it has a value and no edges. Knows nothing of what the values are.
 *
 * Invariant T1: a node other than the root has a value or an edge below it; `pruneSegments` keeps it so.
 */
export interface SegmentNode<Value> {
  children: Map<string, SegmentNode<Value>> | null;
  partials: Map<number, Map<string, SegmentNode<Value>>> | null;
  value: Value | null;
  readonly parent: SegmentNode<Value> | null;
  /** The edge from the parent. */
  readonly segment: string;
  readonly isPartial: boolean;
}

export function segmentRoot<Value>(): SegmentNode<Value> {
  return { children: null, partials: null, value: null, parent: null, segment: '', isPartial: false };
}

/** The node of a name below `root`, made if need be. `partial` is the beginning of one more segment, or null. */
export function ensureSegments<Value>(
  root: SegmentNode<Value>,
  segments: readonly string[],
  partial: string | null,
): SegmentNode<Value> {
  let node = root;
  for (const segment of segments) {
    node.children ??= new Map();
    node = childOf(node, node.children, segment, false);
  }
  if (partial === null) return node;
  node.partials ??= new Map();
  let ofLength = node.partials.get(partial.length);
  if (ofLength === undefined) {
    ofLength = new Map();
    node.partials.set(partial.length, ofLength);
  }
  return childOf(node, ofLength, partial, true);
}

/** Cuts off `node`, and above it all that has become empty. Call when a value was set to null. The root stays. */
export function pruneSegments<Value>(node: SegmentNode<Value>): void {
  let empty = node;
  while (empty.parent !== null && isEmptyNode(empty)) {
    const parent = empty.parent;
    if (empty.isPartial) removePartial(parent, empty.segment);
    else removeChild(parent, empty.segment);
    empty = parent;
  }
}

export function isEmptyNode(node: SegmentNode<unknown>): boolean {
  return node.value === null && node.children === null && node.partials === null;
}

function childOf<Value>(
  parent: SegmentNode<Value>,
  edges: Map<string, SegmentNode<Value>>,
  segment: string,
  isPartial: boolean,
): SegmentNode<Value> {
  let child = edges.get(segment);
  if (child === undefined) {
    child = { children: null, partials: null, value: null, parent, segment, isPartial };
    edges.set(segment, child);
  }
  return child;
}

function removeChild<Value>(parent: SegmentNode<Value>, segment: string): void {
  parent.children?.delete(segment);
  if (parent.children?.size === 0) parent.children = null;
}

function removePartial<Value>(parent: SegmentNode<Value>, partial: string): void {
  const ofLength = parent.partials?.get(partial.length);
  ofLength?.delete(partial);
  if (ofLength?.size === 0) parent.partials?.delete(partial.length);
  if (parent.partials?.size === 0) parent.partials = null;
}
