import { systemClock } from '../../src/core/clock.ts';
import { parseFilter } from '../../src/core/filter.ts';
import { PrefixTrie, type TrieHandle } from '../../src/shard/index/prefix-trie.ts';
import { type Figure, figure, measure, report } from '../harness.ts';

/**
 * Match cost apart from add and remove cost (as quamina does), at 100, 10,000 and 1,000,000 filters, a hundred on each execution,
 * added one execution after the other as its watchers come.
 * Each filter is drawn from stage prefixes, path prefixes (one in ten with a trailing `*`) and extensions; each event hits a few.
 */
const events = 200_000;
const filtersPerExecution = 100;

interface Event {
  readonly execution: string;
  readonly stage: readonly string[];
  readonly path: readonly string[];
}

const executionOf = (index: number): string => `0190b6a2-7c1e-4f00-9a3b-${index.toString(16).padStart(12, '0')}`;

function fill(trie: PrefixTrie<number>, count: number): TrieHandle<number>[] {
  return Array.from({ length: count }, (_, index) => {
    const stage = index % 3 === 0 ? null : `boost/stage-${index % 17}`;
    const path = index % 4 === 0 ? null : `reports/section-${index % 53}${index % 10 === 0 ? '*' : ''}`;
    const extension = index % 2 === 0 ? null : (['.md', '.json', '.tar.gz'][index % 3] ?? null);
    return trie.add(executionOf(Math.floor(index / filtersPerExecution)), parseFilter(stage, path, extension), index);
  });
}

/** Executions in an order that no cache foresees; names that repeat, as they do in a pipeline. */
function eventsOver(count: number): Event[] {
  const executions = Math.max(1, count / filtersPerExecution);
  const stages = Array.from({ length: 19 }, (_, index) => `boost/stage-${index}/step`.split('/'));
  const paths = Array.from({ length: 59 * 7 }, (_, index) =>
    `reports/section-${index % 59}/summary-${index % 7}.md`.split('/'),
  );
  return Array.from({ length: events }, (_, index) => ({
    execution: executionOf((index * 7_919) % executions),
    stage: stages[index % stages.length] ?? [],
    path: paths[index % paths.length] ?? [],
  }));
}

function figures(count: number): Figure[] {
  const trie = new PrefixTrie<number>();
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const start = systemClock.monotonicMs();
  const handles = fill(trie, count);
  const addMs = systemClock.monotonicMs() - start;
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - heapBefore) / count;
  const stream = eventsOver(count);
  const into: number[] = [];
  let hits = 0;
  const matching = measure({
    name: `match, ${count} filters`,
    operations: events,
    run: () => {
      hits = 0;
      for (const { execution, stage, path } of stream) {
        const root = trie.root(execution);
        into.length = 0;
        if (root !== null) hits += trie.match(root, stage, path, into);
      }
    },
  });
  const removeStart = systemClock.monotonicMs();
  for (const handle of handles) trie.remove(handle);
  const removeMs = systemClock.monotonicMs() - removeStart;
  return [
    matching,
    figure(`hits of an event, ${count} filters`, 'filters', [hits / events]),
    figure(`add, ${count} filters`, 'per second', [(count / addMs) * 1_000]),
    figure(`remove, ${count} filters`, 'per second', [(count / removeMs) * 1_000]),
    ...(globalThis.gc === undefined ? [] : [figure(`memory of a filter, ${count} filters`, 'bytes', [bytes])]),
  ];
}

report('trie-match', [100, 10_000, 1_000_000].flatMap(figures));
