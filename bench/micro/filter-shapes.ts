import { type Filter, parseFilter } from '../../src/core/filter.ts';

/** An event as it stands in a record of the window: stage and path side by side. */
export interface MatchEvent {
  readonly key: string;
  readonly bytes: Buffer;
  readonly pathStart: number;
}

function eventOf(key: string, stage: string, path: string): MatchEvent {
  return { key, bytes: Buffer.from(stage + path), pathStart: Buffer.byteLength(stage) };
}

/** Filters, each under its key, and events for them. Entry numbers are places in the arrays. */
export interface Case {
  readonly keys: readonly string[];
  readonly filters: readonly Filter[];
  readonly events: readonly MatchEvent[];
}

export interface Shape {
  readonly name: string;
  readonly make: (count: number) => Case;
}

/**
 *   hundred   a hundred on each execution, drawn from stage prefixes, path prefixes (one in ten with a trailing `*`) and extensions; an event hits about ten
 *   one each  each on an execution of its own; an event hits one
 *   one root  all on one execution, each with a path prefix of its own; an event hits one
 */
export const shapes: readonly Shape[] = [
  { name: 'hundred an execution', make: hundred },
  { name: 'one an execution', make: oneEach },
  { name: 'all on one execution', make: oneRoot },
];

const eventCount = 200_000;
const filtersPerExecution = 100;
/** Steps through any count that it does not divide in an order that no cache foresees. */
const stride = 7_919;

const executionOf = (index: number): string => `0190b6a2-7c1e-4f00-9a3b-${index.toString(16).padStart(12, '0')}`;

function listOf<Item>(count: number, item: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => item(index));
}

function hundred(count: number): Case {
  const executions = Math.max(1, count / filtersPerExecution);
  const keys = listOf(executions, executionOf);
  const stages = listOf(19, (index) => `boost/stage-${index}/step`);
  const paths = listOf(59 * 7, (index) => `reports/section-${index % 59}/summary-${index % 7}.md`);
  return {
    keys: listOf(count, (index) => keys[Math.floor(index / filtersPerExecution)] ?? ''),
    filters: listOf(count, (index) => {
      const stage = index % 3 === 0 ? null : `boost/stage-${index % 17}`;
      const path = index % 4 === 0 ? null : `reports/section-${index % 53}${index % 10 === 0 ? '*' : ''}`;
      const extension = index % 2 === 0 ? null : (['.md', '.json', '.tar.gz'][index % 3] ?? null);
      return parseFilter(stage, path, extension);
    }),
    events: listOf(eventCount, (index) =>
      eventOf(
        executionOf((index * stride) % executions),
        stages[index % stages.length] ?? '',
        paths[index % paths.length] ?? '',
      ),
    ),
  };
}

function oneEach(count: number): Case {
  const filterOf = (index: number): Filter =>
    parseFilter(`boost/stage-${index % 17}`, `reports/section-${index % 53}`, null);
  const stages = listOf(17, (index) => `boost/stage-${index}/step`);
  const paths = listOf(53, (index) => `reports/section-${index}/summary.md`);
  return {
    keys: listOf(count, executionOf),
    filters: listOf(count, filterOf),
    events: listOf(eventCount, (place) => {
      const index = (place * stride) % count;
      return eventOf(executionOf(index), stages[index % 17] ?? '', paths[index % 53] ?? '');
    }),
  };
}

function oneRoot(count: number): Case {
  return {
    keys: listOf(count, () => 'the-one-execution'),
    filters: listOf(count, (index) => parseFilter(null, `reports/section-${index}`, null)),
    events: listOf(eventCount, (place) =>
      eventOf('the-one-execution', 'boost/stage-3/step', `reports/section-${(place * stride) % count}/summary.md`),
    ),
  };
}
