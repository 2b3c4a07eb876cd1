import { parseArgs } from 'node:util';
import { compileFilter, type Filter } from '../../src/core/filter.ts';
import { PrefixTrie } from '../../src/shard/index/prefix-trie.ts';
import { type Figure, figure, measure, report } from '../harness.ts';
import { type Case, type MatchEvent, type Shape, shapes } from './filter-shapes.ts';
import { MapTrie, type MapTrieHandle } from './peers/map-trie.ts';

/**
 * The index: match cost apart from add and remove cost (as quamina does), memory of a filter, and the longest pause while filters are
 * added, by number of filters and by their shape (filter-shapes.ts); beside a trie of nested Maps and a linear scan.
 *
 *   node --expose-gc build/bench/micro/trie-match.js [--peer <index | maps | scan>]… [--count <filters>]… [--shape <part of a name>]
 *
 * Keys and filters are made, and old, before anything is measured: a stream has them anyway.
 */
const { values: options } = parseArgs({
  options: {
    out: { type: 'string' },
    peer: { type: 'string', multiple: true, default: ['index', 'maps', 'scan'] },
    count: { type: 'string', multiple: true, default: ['100', '10000', '1000000'] },
    shape: { type: 'string', default: '' },
  },
});

interface Index {
  add(key: string, filter: Filter, entry: number): void;
  /** Takes out the filter that was added as that number. */
  remove(entry: number): void;
  /** How many entries the event has. */
  match(event: MatchEvent): number;
}

/** A peer is an index of its own and how many filters are too many for it. */
interface Peer {
  readonly countMax: number;
  readonly make: (count: number) => Index;
}

function ours(count: number): Index {
  const trie = new PrefixTrie();
  const roots = new Map<string, number>();
  const handles = new Int32Array(count);
  const into: number[] = [];
  return {
    add: (key, filter, entry) => {
      let root = roots.get(key);
      if (root === undefined) {
        root = trie.openRoot();
        roots.set(key, root);
      }
      handles[entry] = trie.add(root, filter, entry);
    },
    remove: (entry) => {
      trie.remove(handles[entry] ?? 0);
    },
    match: ({ key, bytes, pathStart }) => {
      const root = roots.get(key);
      if (root === undefined) return 0;
      into.length = 0;
      trie.aim(bytes, 0, pathStart, bytes.length);
      return trie.match(root, into);
    },
  };
}

function maps(count: number): Index {
  const trie = new MapTrie<number>();
  const handles = new Array<MapTrieHandle<number>>(count);
  const into: number[] = [];
  return {
    add: (key, filter, entry) => {
      handles[entry] = trie.add(key, filter, entry);
    },
    remove: (entry) => {
      const handle = handles[entry];
      if (handle !== undefined) trie.remove(handle);
    },
    match: ({ key, bytes, pathStart }) => {
      const root = trie.root(key);
      if (root === null) return 0;
      into.length = 0;
      const stage = bytes.toString('utf8', 0, pathStart).split('/');
      return trie.match(root, stage, bytes.toString('utf8', pathStart).split('/'), into);
    },
  };
}

function scan(): Index {
  const filters: { readonly key: string; readonly passes: (stage: string, path: string) => boolean }[] = [];
  return {
    add: (key, filter) => {
      filters.push({ key, passes: compileFilter(filter) });
    },
    remove: () => {
      filters.pop();
    },
    match: (event) => {
      const stage = event.bytes.toString('utf8', 0, event.pathStart);
      const path = event.bytes.toString('utf8', event.pathStart);
      let found = 0;
      for (const { key, passes } of filters) {
        if (key === event.key && passes(stage, path)) found += 1;
      }
      return found;
    },
  };
}

const peers: Readonly<Record<string, Peer>> = {
  index: { countMax: 1_000_000, make: ours },
  maps: { countMax: 1_000_000, make: maps },
  scan: { countMax: 10_000, make: scan },
};

const addsPerStep = 1_000;
const fillRuns = 3;
/** Filter look-ups of a run: a linear scan gets fewer events. */
const scanStepsMax = 20_000_000;

/** Processor time of the whole process, collector included: a neighbour on the machine is not in it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function usedBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

interface Filled {
  readonly addsPerSecond: number;
  readonly pauseMs: number;
  readonly bytes: number;
  readonly removesPerSecond: number;
}

/** The array of handles is made before, and is in the memory of a filter: it is a subscriber's entry. */
function fill(peer: Peer, { keys, filters }: Case): Index & { readonly pauseMs: number; readonly addMs: number } {
  const index = peer.make(filters.length);
  let pauseMs = 0;
  const start = cpuMs();
  let stepStart = start;
  for (let entry = 0; entry < filters.length; entry += 1) {
    index.add(keys[entry] ?? '', filters[entry] as Filter, entry); // below the length
    if ((entry + 1) % addsPerStep !== 0) continue;
    const now = cpuMs();
    pauseMs = Math.max(pauseMs, now - stepStart);
    stepStart = now;
  }
  return { ...index, pauseMs, addMs: cpuMs() - start };
}

function fillAndEmpty(peer: Peer, filled: Case): Filled {
  const before = usedBytes();
  const index = fill(peer, filled);
  const count = filled.filters.length;
  const bytes = (usedBytes() - before) / count;
  const start = cpuMs();
  for (let entry = 0; entry < count; entry += 1) index.remove(entry);
  const removeMs = cpuMs() - start;
  return {
    addsPerSecond: (count / index.addMs) * 1_000,
    pauseMs: index.pauseMs,
    bytes,
    removesPerSecond: (count / removeMs) * 1_000,
  };
}

function figures(peer: string, shape: Shape, count: number): Figure[] {
  const how = peers[peer];
  if (how === undefined || count > how.countMax) return [];
  const filled = shape.make(count);
  const name = (what: string): string => `${peer}, ${shape.name}, ${count}: ${what}`;
  const runs = Array.from({ length: fillRuns }, () => fillAndEmpty(how, filled));
  const index = fill(how, filled);
  const events = peer === 'scan' ? filled.events.slice(0, scanStepsMax / count) : filled.events;
  let hits = 0;
  const matching = measure({
    name: name('match'),
    operations: events.length,
    run: () => {
      hits = 0;
      for (const event of events) hits += index.match(event);
    },
  });
  const of = (what: string, unit: string, take: (run: Filled) => number): Figure =>
    figure(name(what), unit, runs.map(take));
  return [
    matching,
    figure(name('hits of an event'), 'filters', [hits / events.length]),
    of('add', 'per CPU second', (run) => run.addsPerSecond),
    of('remove', 'per CPU second', (run) => run.removesPerSecond),
    ...(count < addsPerStep ? [] : [of('longest 1,000 adds', 'CPU ms', (run) => run.pauseMs)]),
    ...(globalThis.gc === undefined ? [] : [of('memory of a filter', 'bytes', (run) => run.bytes)]),
  ];
}

const chosen = shapes.filter(({ name }) => name.includes(options.shape));
report(
  'trie-match',
  chosen.flatMap((shape) =>
    options.count.flatMap((count) => options.peer.flatMap((peer) => figures(peer, shape, Number(count)))),
  ),
);
