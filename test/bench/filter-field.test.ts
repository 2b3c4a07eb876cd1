import test from 'ava';
import { depthOf, FilterField, filtersAnExecution, maskOf, matchesOfTenEvents } from '../../bench/path/filter-field.ts';
import { compileFilter, parseFilter } from '../../src/core/filter.ts';

const path = (depth: number): string => 'a/b/c/d/e/f/g/h/i/j'.slice(0, 2 * depth - 1);

// The load client believes the mask: a wrong one would call a right delivery stray, or let a wrong one pass.
test('a mask has exactly the events that the router’s own filter lets through', (t) => {
  for (const execution of [0, 1, 7, 999]) {
    for (let depth = 1; depth <= filtersAnExecution; depth += 1) {
      const passes = compileFilter(parseFilter(null, path(depth), null));
      const owed = Array.from({ length: filtersAnExecution }, (_, index) => (maskOf(execution, depth) >> index) & 1);
      const passed = owed.map((_, index) => (passes('boost', path(depthOf(execution, index))) ? 1 : 0));
      t.deepEqual(owed, passed, `execution ${execution}, depth ${depth}`);
    }
  }
});

test('an event meets one to ten filters, and any ten in a row fifty-five', (t) => {
  for (let first = 0; first < 25; first += 1) {
    const depths = Array.from({ length: 10 }, (_, at) => depthOf(first + at, 3));
    t.deepEqual([Math.min(...depths), Math.max(...depths)], [1, 10]);
    t.is(
      depths.reduce((sum, depth) => sum + depth, 0),
      matchesOfTenEvents,
    );
  }
  t.is(new FilterField(7).streams, 70);
});
